# The gateway signs orders: its own key and nothing else. MOUNT stands for the engine's place.
path "MOUNT/data/api-gateway.pem" {
  capabilities = ["read"]
}
