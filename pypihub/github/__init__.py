"""All that knows GitHub: its queries and answers (sans-io), and the client that sends and reads them."""
