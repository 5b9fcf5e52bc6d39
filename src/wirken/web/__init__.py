"""The local page: routes, the guard before them, one link to the gateway. No secret, no database."""
