# Thin doors to tox.  They make a virtual environment of their own under .make
# and need nothing but Python 3.11 or later with venv, and make.
PYTHON ?= python3
TOX = .make/bin/tox
# An empty `--` would put nothing in the place of what a door asks for by itself.
WORDS = $(if $(ARGS),-- $(ARGS))

.PHONY: demo test bench faults fuzz clean

demo: $(TOX)
	$(TOX) run -q -e demo $(WORDS)

test: $(TOX)
	$(TOX) run

bench: $(TOX)
	$(TOX) run -q -e bench $(WORDS)

faults: $(TOX)
	$(TOX) run -q -e faults $(WORDS)

fuzz: $(TOX)
	$(TOX) run -q -e fuzz $(WORDS)

$(TOX):
	$(PYTHON) -m venv .make
	.make/bin/pip install --quiet --upgrade pip tox

clean:
	rm -rf .make .tox build dist
