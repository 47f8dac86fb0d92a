export interface Product {
  id: number;
  name: string;
  description: string;
  priceCents: number;
}

/** The shop's goods. Order nodes take prices only from this list. */
export const CATALOGUE: readonly Product[] = [
  [1, "Enamel mug", "Holds 350 ml and a grudge against dishwashers.", 1290],
  [2, "Linen apron", "Two pockets, long ties, washed soft.", 3450],
  [3, "Bread knife", "Serrated, 23 cm, walnut handle.", 4900],
  [4, "Cast-iron pan", "26 cm, seasoned, for life.", 6400],
  [5, "Pepper mill", "Ceramic grinder, beech.", 2800],
  [6, "Glass teapot", "1.2 l, with a sieve.", 3990],
  [7, "Kitchen scale", "To 5 kg in steps of 1 g.", 2490],
  [8, "Salad bowl", "Olive wood, no two alike.", 5200],
  [9, "Tea towel set", "Three, waffle weave.", 1650],
  [10, "Oven glove", "Pair, to 250 degrees.", 1890],
  [11, "Rolling pin", "Maple, 45 cm, no handles.", 2150],
  [12, "Storage jar", "1 l, clip lid.", 990],
].map(([id, name, description, priceCents]) => ({ id, name, description, priceCents }) as Product);

export function productById(id: number): Product | undefined {
  return CATALOGUE.find((product) => product.id === id);
}
