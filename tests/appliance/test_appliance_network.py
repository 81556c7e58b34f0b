"""
The network of the appliance: whatever is asked for, what was before is there until a change is confirmed.
"""

import contextlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tscm.appliance.files import Places, read_trial, write_trial
from tscm.appliance.machine import Machine, StepFailed
from tscm.appliance.network import Network, parse, render, static
from tscm.appliance.refusal import NotPossible
from tscm.appliance.trial import CONFIRM_SECONDS, Trial, begin, confirm, take_back
from tscm.errors import TscmError


@st.composite
def statics(draw: st.DrawFn) -> Network:
    length = draw(st.integers(8, 29))
    first, last = (int(ipaddress.ip_address(one)) for one in ("10.0.0.0", "10.255.255.0"))
    network = ipaddress.ip_network((draw(st.integers(first, last)), length), strict=False)
    numbers = st.integers(1, network.num_addresses - 2)
    own, router = draw(st.lists(numbers, min_size=2, max_size=2, unique=True))
    return static(f"{network[own]}/{length}", str(network[router]), ("192.0.2.53",))


NETWORKS = st.one_of(st.just(Network()), statics())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), NETWORKS),
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.just("confirm"), st.none()),
        st.tuples(st.just("back"), st.none()),
    ),
    max_size=12,
)


@given(NETWORKS)
def test_what_is_written_is_read_back(network: Network) -> None:
    assert parse(render(network)) == network


@given(NETWORKS, STEPS)
def test_the_last_confirmed_network_is_in_force_until_another_is_confirmed_in_time(
    start: Network, steps: list[tuple[str, Network | int | None]]
) -> None:
    state, kept, now, until = Trial(render(start)), start, 1000.0, 0.0
    wanted: Network | None = None
    for step, value in steps:
        if isinstance(value, int):
            now += value
        elif isinstance(value, Network):
            state, wanted, until = begin(state, value, now), value, now + CONFIRM_SECONDS
        elif step == "back":
            state, wanted = take_back(state), None
        elif wanted is not None and now < until:
            state, kept, wanted = confirm(state, now), wanted, None
        else:
            with pytest.raises(NotPossible):
                confirm(state, now)
        present = parse(state.present)
        assert set(kept.addresses) <= set(present.addresses)
        assert present.dhcp or not kept.dhcp
        if wanted is None:
            assert present == kept
        assert take_back(state) == Trial(render(kept))


@pytest.mark.parametrize(
    "words",
    [
        ("192.0.2.5", "192.0.2.1"),
        ("192.0.2.5/24", "198.51.100.1"),
        ("192.0.2.5/24", "192.0.2.5"),
        ("192.0.2.0/24", "192.0.2.1"),
        ("192.0.2.255/24", "192.0.2.1"),
        ("192.0.2.5/24", "2001:db8::1"),
        ("127.0.0.2/8", "127.0.0.1"),
        ("192.0.2.5/33", "192.0.2.1"),
        ("192.0.2.5/0", "192.0.2.1"),
        ("2001:db8::5/0", "2001:db8::1"),
        ("192.0.2.5/24", "192.0.2.1", "dns.example"),
        ("192.0.2.5/24\nDHCP=yes", "192.0.2.1"),
        ("2001:db8::5%x\nDHCP=yes/64", "2001:db8::1"),
        ("2001:db8::5/64", "fe80::1%x\nDHCP=yes"),
        ("2001:db8::5/64", "fe80::1%ens3"),
        ("2001:db8::5/64", "fe80::1", "2001:db8::1%x\nGateway=2001:db8::9"),
        ("192.0.2.5/24", "192.0.2.1", *["192.0.2.53"] * 5),
    ],
)
def test_a_network_that_cannot_work_is_refused_with_one_sentence(words: tuple[str, ...]) -> None:
    with pytest.raises(NotPossible) as refused:
        static(words[0], words[1], words[2:])
    assert "\n" not in str(refused.value)


def test_a_power_cut_at_any_step_leaves_what_was_or_a_change_that_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, wanted = Network(), static("192.0.2.5/24", "192.0.2.1")
    real, renames = Path.rename, 0
    for cut in range(5):
        file = tmp_path / str(cut) / "10-tscm.network"
        write_trial(file, Trial(render(before)))
        renames = 0

        def rename(self: Path, target: Path, last: int = cut) -> Path:
            nonlocal renames
            renames += 1
            if renames > last:
                raise OSError(5, "no power")
            return real(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            with contextlib.suppress(OSError):
                write_trial(file, begin(read_trial(file), wanted, 0.0))
        assert take_back(read_trial(file)) == Trial(render(before))


class Host:
    """A folder in the place of the host: what was run on it, and what of that fails."""

    def __init__(self, root: Path, cards: Sequence[str] = ("ens3", "lo")) -> None:
        self.places = Places(root)
        self.ran: list[str] = []
        self.failing = ""
        self.seconds = 100.0
        self.places.mark.parent.mkdir(parents=True)
        self.places.mark.touch()
        self.places.lock.parent.mkdir()
        for one in cards:
            (root / "sys/class/net" / one).mkdir(parents=True)
        write_trial(self.places.network, Trial(render(Network())))
        self.machine = Machine(self.places, self.run, lambda: self.seconds)

    def run(self, words: Sequence[str]) -> None:
        self.ran.append(" ".join(words))
        if self.failing and self.failing in self.ran[-1]:
            raise StepFailed(self.ran[-1], "no")

    @property
    def present(self) -> Network:
        return parse(self.places.network.read_text())


WANTED = static("192.0.2.5/24", "192.0.2.1", ("192.0.2.53",))


def test_a_change_waits_beside_what_was_with_its_way_back_begun_before(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.machine.try_network(WANTED)
    assert host.present.dhcp
    assert host.present.addresses == WANTED.addresses
    begun = next(n for n, one in enumerate(host.ran) if one.startswith("systemd-run"))
    assert begun < host.ran.index("networkctl reload")
    assert host.ran[begun].endswith(" /usr/lib/tscm-appliance/take-back")
    assert host.machine.network().seconds_left == CONFIRM_SECONDS
    host.machine.confirm_network()
    assert host.present == WANTED
    assert host.machine.network().seconds_left is None
    with pytest.raises(NotPossible):
        host.machine.confirm_network()


def test_a_confirmation_that_comes_too_late_is_refused_and_the_way_back_stays(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path)
    host.machine.try_network(WANTED)
    host.seconds += CONFIRM_SECONDS
    with pytest.raises(NotPossible):
        host.machine.confirm_network()
    assert host.machine.take_network_back()
    assert host.present == Network()
    assert not host.machine.take_network_back()


@pytest.mark.parametrize("failing", ["systemd-run", "networkctl"])
def test_a_change_that_the_host_refuses_leaves_what_was(tmp_path: Path, failing: str) -> None:
    host = Host(tmp_path)
    host.failing = failing
    with pytest.raises(StepFailed):
        host.machine.try_network(WANTED)
    assert host.present == Network()
    assert not list(host.places.network.parent.glob("*.before"))


def test_one_address_is_not_put_on_two_interfaces(tmp_path: Path) -> None:
    host = Host(tmp_path, ("ens3", "ens4", "lo"))
    with pytest.raises(NotPossible, match="ens3, ens4"):
        host.machine.try_network(WANTED)
    host.machine.try_network(Network())


def test_the_shell_script_takes_back_as_the_command_does(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "packaging/appliance/take-back"
    assert f"file=/{Places(Path()).network}\n" in script.read_text()


def test_another_host_is_left_alone(tmp_path: Path) -> None:
    machine = Machine(Places(tmp_path))
    for asked in (
        machine.network,
        machine.confirm_network,
        machine.time_servers,
        machine.host_name,
        lambda: machine.try_network(WANTED),
        lambda: machine.set_host_name("collector"),
        lambda: machine.set_time_servers(()),
    ):
        with pytest.raises(TscmError, match="not the appliance"):
            asked()
    assert not list(tmp_path.iterdir())


def test_login_is_given_the_name_that_was_typed() -> None:
    script = Path(__file__).parents[2] / "packaging/appliance/first-boot"
    *_, last = script.read_text().splitlines()
    assert r" -o '-p -- \u' " in last, "with two backslashes everybody would log in as a user `\\u`"
