"""The in-sandbox daemon's routes: two RPC services and the plain HTTP routes beside them."""
