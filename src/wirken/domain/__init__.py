"""The vocabulary that every process shares; computes, touches nothing."""
