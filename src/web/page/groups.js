// @ts-check

/**
 * Homes of a group are one reader, and what waits for it is counted once: at the one in use, or while none is at the first.
 * @template {{ group?: { name: string, active: boolean } }} Home
 * @param {Home[]} homes @returns {Home[]}
 */
export function readersOf(homes) {
  return homes.filter((home) => {
    const all = homes.filter((one) => home.group && one.group?.name === home.group.name);
    return !home.group || home === (all.find((one) => one.group?.active) ?? all[0]);
  });
}
