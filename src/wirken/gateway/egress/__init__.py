"""Who may reach which host: for each connection that the relay asks about, a verdict, and a row before it counts."""
