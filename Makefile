# Thin doors to tox.  They make a virtual environment of their own under .make,
# from the versions pinned in requirements/,
# and need nothing but Python 3.11 or later with venv, and make.
PYTHON ?= python3
TOX = .make/bin/tox
# An empty `--` would put nothing in the place of what a door asks for by itself.
WORDS = $(if $(ARGS),-- $(ARGS))

.PHONY: demo test quick bench faults fuzz mutants docs screenshots changelog audit lock deb repo image appliance appliance-check release release-check clean

demo: $(TOX)
	$(TOX) run -q -e demo $(WORDS)

test: $(TOX)
	$(TOX) run

quick: $(TOX)
	$(TOX) run -q -e quick $(WORDS)

bench: $(TOX)
	$(TOX) run -q -e bench $(WORDS)

faults: $(TOX)
	$(TOX) run -q -e faults $(WORDS)

fuzz: $(TOX)
	$(TOX) run -q -e fuzz $(WORDS)

mutants: $(TOX)
	$(TOX) run -q -e mutants $(WORDS)

docs: $(TOX)
	$(TOX) run -q -e docs $(WORDS)

screenshots: $(TOX)
	$(TOX) run -q -e screenshots $(WORDS)

changelog: $(TOX)
	$(TOX) run -q -e changelog $(WORDS)

audit: $(TOX)
	$(TOX) run -q -e audit $(WORDS)

# The newest versions that pyproject.toml allows; ARGS=--no-upgrade keeps those that are pinned.
lock: $(TOX)
	$(TOX) run -q -e lock $(WORDS)

# Debian packages, their repository, and all that is checked of them; needs root, mmdebstrap and reprepro.
deb: $(TOX)
	for suite in bookworm trixie; do packaging/deb $$suite dist/$$suite || exit; done

repo: deb
	packaging/repo dist/repo bookworm=dist/bookworm trixie=dist/trixie

# The container image as an OCI archive, made without a registry.
image: deb
	packaging/image dist/trixie dist/tscm-$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml).oci.tar

# A virtual machine: qcow2, VHD and OVA.
appliance: deb
	packaging/appliance/build dist/trixie dist/appliance

# Boots it by emulation, with BIOS and with EFI; nothing of the disk is changed.  Needs qemu-system-x86 and ovmf.
appliance-check:
	python3 packaging/appliance/walk.py dist/appliance/tscm-*.qcow2 build/appliance/bios
	python3 packaging/appliance/walk.py dist/appliance/tscm-*.qcow2 build/appliance/efi --efi /usr/share/ovmf/OVMF.fd

# Everything of a release into dist/release, with signed sums; ARGS=--untagged for a commit without a tag.
release: image docs
	packaging/release dist/release $(ARGS)

release-check: $(TOX)
	packaging/release-check $(ARGS)

$(TOX): requirements/tox.txt
	$(PYTHON) -m venv --clear .make
	.make/bin/pip install --quiet --require-hashes -r requirements/tox.txt

clean:
	rm -rf .make .tox build dist
