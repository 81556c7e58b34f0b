# The manager.  Named, not by path: the interpreter is that of the system.  The unit asks for it
# (AppArmorProfile=-tscm).  In complain mode: it is not yet proven on every way to a firewall.
# `aa-enforce tscm` (package apparmor-utils) turns it on.
abi <abi/3.0>,

include <tunables/global>

profile tscm flags=(attach_disconnected,complain) {
  include <abstractions/base>
  include <abstractions/nameservice>
  include <abstractions/openssl>
  include <abstractions/ssl_certs>

  capability net_bind_service,
  capability net_admin,
  network inet,
  network inet6,
  network unix,
  signal (send, receive) peer=tscm,
  signal (receive) peer=unconfined,

  /usr/bin/python3.* ix,
  /usr/bin/ssh ix,
  /usr/lib/tscm/** mr,
  /usr/lib/tscm/bin/* ix,
  /usr/lib/python3*/** mr,
  /usr/lib/python3*/**/ r,
  /usr/share/** r,
  /etc/** r,
  /etc/tscm/** rwkl,
  /var/lib/tscm/ rw,
  /var/lib/tscm/** rwkl,
  /var/log/threatstop/ rw,
  /var/log/threatstop/** rwkl,
  /run/tscm/ rw,
  /run/tscm/** rwk,
  /run/systemd/notify w,
  /tmp/** rwk,
  /dev/urandom r,
  /dev/tty rw,
  @{PROC}/ r,
  @{PROC}/** r,
  /sys/** r,

  # Certificates, keys, feeds and backups that the settings name.
  include if exists <local/tscm>

  # Children that parse offer themselves first when memory runs out.
  owner @{PROC}/@{pid}/oom_score_adj rw,
}
