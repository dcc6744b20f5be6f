"""The ledger of claims: what the paper says, what its reviewers asked, and what a computation answers."""
