"""The channels' wing: for now what all of them need before any connection, text made into each platform's markup."""
