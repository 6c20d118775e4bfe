raise SystemExit("not to be copied")
