"""The routes under `/api/v1`: one file per resource, each route a function marked with `@operation`."""
