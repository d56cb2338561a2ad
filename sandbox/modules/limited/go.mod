module dockercoins/sandbox/modules/limited

go 1.24.0
