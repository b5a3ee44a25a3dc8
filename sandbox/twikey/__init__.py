"""A simulated Twikey: login and customers, with its oddities, from public facts alone."""
