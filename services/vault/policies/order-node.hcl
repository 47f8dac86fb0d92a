# One order node, INSTANCE: its own key, so that it can sign in no other's name, and the database's password.
# MOUNT stands for the engine's place.
path "MOUNT/data/INSTANCE.pem" {
  capabilities = ["read"]
}
path "MOUNT/data/postgres.password" {
  capabilities = ["read"]
}
