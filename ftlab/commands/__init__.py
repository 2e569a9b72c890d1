"""The longer commands of `ftlab`; each is one function that takes the parsed arguments."""
