# Each target makes .venv by itself. Needs Python 3.11–3.13, make and a package index.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)

.PHONY: demo app test test-slow lint notebooks benchmark clean

demo: .venv/ready
	$(BIN)/python -m gan_keras demo

app: .venv-app/ready  # prints its address: a page to try the models
	.venv-app/bin/python -m gan_keras app

test: .venv/ready  # two at a time: a test alone keeps little more than one core busy
	$(BIN)/python -m pytest -n 2

test-slow: .venv/ready .venv-app/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: .venv/ready  # executes every chapter in full: some minutes each
	$(BIN)/python tools/notebooks.py
	$(BIN)/python tools/exercises.py release
	$(BIN)/python tools/exercises.py solutions

benchmark: .venv/ready  # some minutes, on a quiet machine; writes benchmarks/results/LATEST.md
	$(BIN)/python benchmarks/latest.py

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) \
	else f"Python 3.11, 3.12 or 3.13 is needed, not {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "installing TensorFlow, Keras and the rest into .venv (a minute or more)"
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# On top of .venv: what is not in .venv-app is taken from there, and pip knows.
.venv-app/ready: .venv/ready requirements-app.txt
	@echo "installing Gradio into .venv-app"
	@$(BIN)/python -m venv --clear .venv-app
	@$(BIN)/python -c 'import sysconfig; p = sysconfig.get_path("purelib"); \
	print(f"import site; site.addsitedir({p!r})")' \
	> $$(.venv-app/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/below.pth
	@.venv-app/bin/python -m pip install --quiet -r requirements-app.txt
	touch $@

clean:
	rm -rf .venv .venv-app build dist *.egg-info
