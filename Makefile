# Two commands do everything on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
.PHONY: setup quickstart test docs benchmark scoreboard lock clean
setup quickstart test docs benchmark scoreboard lock clean:
	@"$(PYTHON)" dev.py $@ $(ARGS)
