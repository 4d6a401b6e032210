/** The product's mark: a step, and where it leads. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--af-accent)" />
      <path
        d="M9 11h6a4 4 0 0 1 4 4v2a4 4 0 0 0 4 4"
        stroke="#fff"
        strokeWidth="2.6"
        fill="none"
        strokeLinecap="round"
      />
      <circle cx="9" cy="11" r="3" fill="#fff" />
      <circle cx="23" cy="21" r="3" fill="#fff" />
    </svg>
  );
}
