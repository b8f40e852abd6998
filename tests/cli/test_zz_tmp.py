from pathlib import Path
from tests.samples import *
def test_x(run, csv_file, tmp_path, monkeypatch):
    import chainrule, traceback
    words = ["train", csv_file, *command_line("bow", epochs=1), "--quiet"]
    real=Path.open
    import tests.samples as s
    ow=s._Watched.write
    paths=[]
    def op(path, mode="r", *a, **k):
        if set(mode)&set("wax+"): paths.append((path,mode))
        return real(path,mode,*a,**k)
    for i in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Path,"open",op)
            disk=FullDisk(patch)
            run(*words,"--out",tmp_path/f"w{i}")
            print(disk.writes, [(str(p)[-40:],m) for p,m in paths]); paths.clear()
