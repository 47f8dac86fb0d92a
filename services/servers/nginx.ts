import { STATE_DIR } from "../host/state.js";
import type { Instance, Plan } from "../topology.js";
import { instancesOf } from "../topology.js";

export const NGINX_DIR = `${STATE_DIR}/nginx`;
export const NGINX_USER = "www-data";

/** Holds one empty file, named after the gateway's current port. */
export const GATEWAY_PORTS_DIR = `${NGINX_DIR}/gateway`;

/**
 * Knows all ports of the gateway from the start and chooses one by the file at each request. A reload would close
 * keep-alive connections while requests are sent on them.
 */
export function nginxConfig(plan: Plan, instance: Instance): string {
  const gateway = instancesOf(plan, "api-gateway")[0]!;
  const web = instancesOf(plan, "web")[0]!;
  const six = instance.address6 ? `    listen [${instance.address6}]:80;\n` : "";
  const upstreams = gateway.ports.map(
    (port) =>
      `  upstream gateway_${port} { server ${gateway.address}:${port} max_fails=0; keepalive 64; keepalive_timeout 20s; }`,
  );
  const choice = gateway.ports.map(
    (port) => `    if (-f ${GATEWAY_PORTS_DIR}/${port}) { set $gateway gateway_${port}; }`,
  );
  return `daemon off;
pid ${NGINX_DIR}/nginx.pid;
error_log stderr warn;
worker_processes 2;
worker_shutdown_timeout 5s;
events { worker_connections 1024; }
http {
  access_log off;
  server_tokens off;
  client_max_body_size 64k;
  client_body_temp_path ${NGINX_DIR}/body;
  proxy_temp_path ${NGINX_DIR}/proxy;
  fastcgi_temp_path ${NGINX_DIR}/fastcgi;
  uwsgi_temp_path ${NGINX_DIR}/uwsgi;
  scgi_temp_path ${NGINX_DIR}/scgi;
  keepalive_timeout 60s;
  keepalive_requests 100000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_connect_timeout 2s;
  proxy_read_timeout 30s;
${upstreams.join("\n")}
  upstream web {
    server ${web.address}:${web.ports[0]};
    keepalive 4;
    keepalive_timeout 20s;
  }
  server {
    listen ${instance.listen ?? instance.address}:80 backlog=1024;
${six}    set $gateway gateway_${gateway.ports[0]};
${choice.join("\n")}
    location = /health { default_type application/json; return 200 '{"status":"ok","instance":"${instance.name}"}'; }
    location = /products { proxy_pass http://$gateway; }
    location /products/ { proxy_pass http://$gateway; }
    location = /orders { proxy_pass http://$gateway; }
    location /orders/ { proxy_pass http://$gateway; }
    location / { proxy_pass http://web; }
  }
}
`;
}
