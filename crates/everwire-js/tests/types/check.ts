/** Whether two types are the same; one that only fits the other is not. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile unless the type is `true`. */
export function check<_ extends true>(): void {}

// @ts-expect-error A check that could not fail would be none.
check<Equal<"a", string>>();
