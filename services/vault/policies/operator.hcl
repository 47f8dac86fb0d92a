# Who runs `netwatch lab up`: reads every secret of the shop, changes none. MOUNT stands for the engine's place.
path "MOUNT/data/*" {
  capabilities = ["read"]
}
