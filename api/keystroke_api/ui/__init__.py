"""The web app: pages for people, made on the server, each with a JSON twin at the same address."""
