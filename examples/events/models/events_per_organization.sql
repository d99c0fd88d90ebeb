-- model: modelled.events_per_organization
-- depends_on: raw.events, raw.organizations
-- key: day, organization_name
-- incremental: day received_at of raw.events

-- Organizations that raw.organizations does not know have no key, and count as well.
select date(e.received_at) as day, e.organization_name, o.organization_key, count(*) as events
from raw.events as e
left join raw.organizations as o on o.organization_name = e.organization_name
group by date(e.received_at), e.organization_name, o.organization_key
