# Vault for the lab on one machine: `vault server -config=services/vault/vault.hcl`, then `netwatch lab init-vault`.
# Every setting is one of Vault's documented ones (developer.hashicorp.com/vault/docs/configuration).

# Data on this disk, sealed with the unseal keys. One server; several need "raft".
storage "file" {
  path = "/var/lib/vault/data"
}

# Loopback only, so without TLS: nothing else can reach it. For any other address give certificates here and leave tls_disable out;
# netwatch sends its token in the clear to loopback alone.
listener "tcp" {
  address     = "127.0.0.1:8200"
  tls_disable = true
}

api_addr = "http://127.0.0.1:8200"
ui       = false

# A lease cannot outlive this; the tokens that init-vault makes live 720 h.
max_lease_ttl     = "768h"
default_lease_ttl = "768h"
