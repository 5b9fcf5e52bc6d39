"""What each process may see and do: the table of roles, and what turns a row of it into walls."""
