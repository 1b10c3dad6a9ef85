"""All rows. Importing it fills the table."""
import importlib
import os
import pkgutil

for module in pkgutil.iter_modules([os.path.dirname(__file__)]):
    if module.name.startswith("rows_"):
        importlib.import_module(f"differential.{module.name}")
