print("hello from CI")
