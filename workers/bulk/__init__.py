"""Work on a whole account: in jobs that are paced, and that survive whatever happens to the process."""
