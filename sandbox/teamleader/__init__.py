"""A simulated Teamleader Focus: OAuth 2, customers, invoices, webhooks and rate limits, from public facts alone."""
