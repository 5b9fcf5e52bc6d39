"""The process that holds the device key, every stored credential and every signing key (docs/vault.md)."""
