"""VTK's Flying Edges, scikit-image's and PyMCubes' marching cubes beside ours, held to the same number of processor cores.

All read the samples that our side writes. Surfaces are compared by their area, in units of the spacing.
"""

import os
import time
from pathlib import Path

import common
import numpy as np

FIELDS = ["sphere", "gyroid", "bunny"]


def area(vertices, triangles):
    a, b, c = (np.asarray(vertices, np.float64)[triangles[:, i]] for i in range(3))
    return 0.5 * float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


def flying_edges(samples, normals):
    """Makes the filter once; a run marks its input as new. VTK takes the first axis to be the fastest."""
    import vtk
    from vtk.util import numpy_support

    n = samples.shape[0]
    image = vtk.vtkImageData()
    image.SetDimensions(n, n, n)
    values = numpy_support.numpy_to_vtk(samples.ravel(), deep=True)
    image.GetPointData().SetScalars(values)
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.SetComputeNormals(normals)
    edges.SetComputeScalars(False)
    edges.SetComputeGradients(False)

    def run():
        image.Modified()
        edges.Update()

    def surface():
        out = edges.GetOutput()
        vertices = numpy_support.vtk_to_numpy(out.GetPoints().GetData())
        return vertices, numpy_support.vtk_to_numpy(out.GetPolys().GetConnectivityArray()).reshape(-1, 3)

    return run, surface


def kept(function):
    """A run that keeps what it returns."""
    result = [None]

    def run():
        result[0] = function()

    return run, lambda: result[0]


def methods(samples):
    """Name, version, the method of ours that it is compared with, and how it runs and tells its surface."""
    import mcubes
    import skimage
    import vtk
    from skimage.measure import marching_cubes

    threads = len(common.all_cores())
    vtk.vtkSMPTools.Initialize(threads)
    version = f"VTK {vtk.vtkVersion().GetVTKVersion()}"
    yield "Flying Edges", version, "marching cubes", flying_edges(samples, False)
    yield "Flying Edges, normals", version, "marching cubes, normals", flying_edges(samples, True)
    # These two use one thread whatever there is.
    if threads == 1:
        version = f"scikit-image {skimage.__version__}"
        for name in ("lewiner", "lorensen"):
            run = lambda name=name: marching_cubes(samples, 0.0, method=name)[:2]
            yield f"{name}, normals", version, "marching cubes, normals", kept(run)
        yield "marching cubes", "PyMCubes 0.1.6", "marching cubes", kept(lambda: mcubes.marching_cubes(samples, 0.0))


def held(options):
    ours = common.Ours(options.ours)
    threads = options.threads[0]
    path = Path(options.out) / f"grid-{os.getpid()}.f32"
    for n in [128] if options.quick else [128, 256]:
        spacing = 2.0 / (n - 1)
        for field in FIELDS:
            case = f"{field} {n}³"
            ours.ask(op="grid", field=field, samples=n, path=str(path))
            samples = np.fromfile(path, np.float32).reshape(n, n, n)
            path.unlink()
            for name, version, method, (run, surface) in methods(samples):
                request = dict(op="mesh", field=field, samples=n, method=method, threads=threads)
                mine = ours.ask(**request)["values"]
                run()
                vertices, triangles = surface()
                apart = abs(area(vertices, triangles) * spacing**2 / mine[2] - 1)
                fields = dict(suite=options.suite, case=case, impl=f"{version}/{name}", version=version, threads=threads, runs=1)
                common.record(metric="agreement", value=apart, unit="1", **fields)
                if threads == 1:
                    for what, count in (("vertices", len(vertices)), ("triangles", len(triangles))):
                        named = {**fields, "impl": f"{version}/{name}: {what}"}
                        common.record(metric="surface", value=count, unit="1", **named)
                if not apart <= options.agreement:
                    common.emit("note", suite=options.suite, text=f"{case}: {name} of {version} is {apart:.2g} away; not timed.")
                    continue

                def timed():
                    begin = time.perf_counter()
                    run()
                    return time.perf_counter() - begin

                sides = [lambda: ours.ask(**request)["seconds"], timed]
                times = common.take_turns(sides, budget_s=1.0 if options.quick else 3.0, least=7, most=40)
                mine, theirs = (common.spread(t) for t in times)
                fields.pop("runs")
                common.record(metric="time", unit="s", **fields, **theirs)
                common.record(metric="rate", unit="M/s", **fields, value=len(triangles) / theirs["value"] / 1e6, runs=theirs["runs"])
                beside = {**fields, "impl": f"{method} beside {version}, {name}"}
                common.record(metric="ratio", unit="1", **beside, value=theirs["value"] / mine["value"], runs=theirs["runs"])


if __name__ == "__main__":
    common.per_thread_count(held, "VTK, scikit-image and PyMCubes")
