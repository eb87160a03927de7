"""The commands, a module for each collection. Importing one imports click and nothing heavy."""
