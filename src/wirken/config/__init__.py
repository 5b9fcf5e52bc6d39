"""Where Wirken's files lie and what the operator wrote into `config.toml`."""
