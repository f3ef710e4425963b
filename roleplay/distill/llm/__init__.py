"""Who speaks, with a model's help: requests, the ledger of answers, the endpoint, labelling."""
