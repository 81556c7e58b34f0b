# Thin doors to tox.  They make a virtual environment of their own under .make
# and need nothing but Python 3.11 or later with venv, and make.
PYTHON ?= python3
TOX = .make/bin/tox

.PHONY: demo test bench faults fuzz clean

demo: $(TOX)
	$(TOX) run -q -e demo -- $(ARGS)

test: $(TOX)
	$(TOX) run

bench: $(TOX)
	$(TOX) run -q -e bench -- $(ARGS)

faults: $(TOX)
	$(TOX) run -q -e faults -- $(ARGS)

fuzz: $(TOX)
	$(TOX) run -q -e fuzz -- $(ARGS)

$(TOX):
	$(PYTHON) -m venv .make
	.make/bin/pip install --quiet --upgrade pip tox

clean:
	rm -rf .make .tox build dist
