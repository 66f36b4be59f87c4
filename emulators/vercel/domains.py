"""Domains of a project."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.vercel.projects import KIND, RefusedError, context_of, load, milliseconds, save

FIELDS = ("redirect", "redirectStatusCode", "gitBranch", "customEnvironmentId")


async def create(request: Request) -> Response:
    project, wanted, context = load(request), await request.json(), context_of(request)
    name = wanted["name"]
    if any(name in one["domains"] for one in context.store.all(KIND).values()):
        raise RefusedError(409, "domain_already_in_use", f"Cannot add {name} since it's already assigned to a project.")
    now = milliseconds(context)
    project["domains"][name] = {
        "name": name,
        "apexName": ".".join(name.split(".")[-2:]),
        "projectId": project["id"],
        "verified": True,
        "createdAt": now,
        "updatedAt": now,
        **{field: wanted.get(field) for field in FIELDS},
    }
    save(context, project)
    return JSONResponse(project["domains"][name])


async def listing(request: Request) -> Response:
    return JSONResponse({"domains": list(load(request)["domains"].values())})


async def domain(request: Request) -> Response:
    """Read, change or remove one domain."""
    project, name, context = load(request), request.path_params["name"], context_of(request)
    found = project["domains"].get(name)
    if found is None:
        raise RefusedError(404, "not_found", f"The domain {name} is not assigned to the project.")
    if request.method == "DELETE":
        del project["domains"][name]
        save(context, project)
        return JSONResponse({})
    if request.method == "PATCH":
        wanted = await request.json()
        found |= {field: wanted[field] for field in FIELDS if field in wanted} | {"updatedAt": milliseconds(context)}
        save(context, project)
    return JSONResponse(found)


async def configuration(request: Request) -> Response:
    cname, address = [{"rank": 1, "value": "cname.vercel-dns.com."}], [{"rank": 1, "value": ["76.76.21.21"]}]
    return JSONResponse({"misconfigured": False, "recommendedCNAME": cname, "recommendedIPv4": address})
