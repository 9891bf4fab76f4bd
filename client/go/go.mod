module whitecity

go 1.25
