import { Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { workflowList } from "@/api/workflows";

interface SelectProps {
  label: string;
  value: string;
  onChange: (name: string) => void;
  disabled?: boolean;
  error?: string;
}

export function WorkflowSelect({ label, value, onChange, disabled, error }: SelectProps) {
  const workflows = useInfiniteQuery(workflowList(""));
  const known = workflows.data?.pages.flatMap((page) => page.results.map((one) => one.name)) ?? [];
  return (
    <Select
      label={label}
      placeholder="Choose a workflow"
      data={value && !known.includes(value) ? [value, ...known] : known}
      value={value || null}
      onChange={(next) => onChange(next ?? "")}
      searchable
      disabled={disabled}
      error={error}
    />
  );
}
