"""The gateway process: knows who speaks, decides, records, and lets others act. Holds no secret, no network."""
