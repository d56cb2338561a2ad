module dockercoins/sandbox/modules/pause

go 1.24.0
