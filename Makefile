PYTHON ?= python3
BIN := .venv/bin
ROOMS := common rest_clients pgschema supabase_management components automation local

.PHONY: demo stop test test-live lint bench snapshot migration clean

demo: .venv/local ; @$(BIN)/clients demo $(ARGS)
stop: .venv/local ; @$(BIN)/clients local stop
# Some machines set the variable; then each of the many processes that tests start would compile all modules again.
test: .venv/dev ; PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist worksteal $(ARGS)
test-live: .venv/dev ; $(BIN)/pytest -s --live tests/live/test_live.py $(ARGS)
lint: .venv/dev ; $(BIN)/ruff check . && $(BIN)/ruff format --check -q . && $(BIN)/mypy $(ROOMS) && $(BIN)/lint-imports
bench: .venv/dev ; $(BIN)/python -m bench $(ARGS)
snapshot: .venv/local ; $(BIN)/python -m local.snapshot
migration: .venv/local ; @$(BIN)/python -m pgschema.new_migration $(NAME)
clean: ; @test ! -x $(BIN)/clients || $(BIN)/clients local stop; rm -rf .venv .local

.venv/bin/python: ; @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make demo PYTHON=python3.11")' && $(PYTHON) -m venv .venv
.venv/local: requirements-local.txt requirements.txt pyproject.toml .venv/bin/python ; @echo "Installing the packages of local mode into .venv ..." >&2 && $(BIN)/pip install -q --disable-pip-version-check -r $< && $(BIN)/pip install -q --disable-pip-version-check --no-deps -e . && touch $@
.venv/dev: requirements-dev.txt .venv/local ; @$(BIN)/pip install -q --disable-pip-version-check -r $< && touch $@
