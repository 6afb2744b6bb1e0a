"""HTTP at the edge: Klein routes, Basic credentials, and the one place where errors become status codes."""
