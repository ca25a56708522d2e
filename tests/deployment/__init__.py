"""What is shipped to run the relay with: units, manifests, image, packages."""
