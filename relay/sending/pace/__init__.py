"""How fast mail may go: SES's send rate and daily quota of each account and region, and the delegates' shares of it."""
