import { WATCHER } from "../events/watcher.js";
import { LabError } from "../lab-error.js";
import { readIdentity } from "../service/identity.js";
import { readPlan } from "./state.js";

/** The program of each namespace: runs one instance of the lab. */
export async function startInstance(name: string): Promise<void> {
  if (name === WATCHER) return (await import("../events/watch-lab.js")).watchLab();
  if (readPlan().outside.some((outside) => outside.name === name))
    return (await import("../shop/internet.js")).startInternet(name);
  const identity = await readIdentity(name);
  switch (identity.instance.service) {
    case "service-registry":
      return (await import("../shop/registry.js")).startRegistry(identity);
    case "product-service":
      return (await import("../shop/products/product.js")).startProduct(identity);
    case "order-service":
      return (await import("../shop/orders/order.js")).startOrder(identity);
    case "payment":
      return (await import("../shop/payment.js")).startPayment(identity);
    case "email":
      return (await import("../shop/email.js")).startEmail(identity);
    case "api-gateway":
      return (await import("../shop/gateway.js")).startGateway(identity);
    case "web":
      return (await import("../shop/web.js")).startWeb(identity);
    case "nginx-lb":
      return (await import("../shop/balancer.js")).startBalancer(identity);
    default:
      throw new LabError(`${identity.instance.service} is not one of the lab's own services`, 2);
  }
}
