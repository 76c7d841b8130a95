module github.com/wifiprovd/wifiprovd

go 1.26
