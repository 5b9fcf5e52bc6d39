"""The outbound process: the only one with a network interface; holds one key per request."""
