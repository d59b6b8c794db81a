module github.com/fairlead/fairlead/examples/digits

go 1.26.0
