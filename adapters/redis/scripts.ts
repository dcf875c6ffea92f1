// Made by "npm run lua" of the files in lua/. Not to be edited.

const counts = `function F.cQ()
local p={now=v,todo={},groups={},none=0}
p.todo[1]={'log','',0}
for L,a in pairs(F.c())do
p.groups[L]={ended=0,ready=0,delayed=0,blocked=0,parked=0}
for _,u in ipairs({'reap','ends','join'})do
p.todo[#p.todo+1]={u,L,0}
end
end
return p
end
function F.bc(k,i,T,S)
local G=g('ZRANGE',k,i,i+T - 1,'WITHSCORES')
local E={}
for f=1,#G,2 do
if tonumber(G[f+1])>S then
return E
end
E[#E+1]=G[f]
end
return E,#E==T and i+T or nil
end
local cG={}
function cG.log(p,_,i)
if not e.reap or e.reap>p.now then
return nil,0
end
local E,next=F.bc(n .. 'expiry',i,64,p.now)
local K=0
for _,t in ipairs(E)do
local l=F.u(tonumber(t))
if l then
local ay,au=F.ae(l.first,l.last),F.ah(l.first,l.last)
local dB=l.columns and l.columns.expires or{}
K=K+l.count+16
for f=1,l.count do
local c=l.first+f - 1
local br=dB[f]
if ay and ay[c] then
br=ay[c].expires
end
if br and br<=p.now and not(au and au[c])then
p.none=p.none - 1
for L,a in pairs(av)do
if c>=a.row.cursor and p.groups[L] then
p.groups[L].ready=p.groups[L].ready - 1
end
end
end
end
end
end
return next,K
end
function cG.reap(p,a,i)
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)==0 and not(Z and Z.flows>0)then
return nil,0
end
local E,next=F.bc(F.a(a,'reap'),i,500,p.now)
local aC=p.groups[a.name]
if #E>0 then
local aL=g('HMGET',F.a(a,'side'),unpack(E))
for f=1,#E do
local j=aL[f] and cmsgpack.unpack(aL[f])
local cY=j and j.blocked or not j and tonumber(E[f])<281474976710656
local ba=cY and 'blocked' or 'ready'
if j and not j.blocked then
ba=j.parked and 'parked' or j.at>p.now and 'delayed' or 'ready'
end
aC[ba]=aC[ba] - 1
end
end
return next,#E
end
function cG.ends(p,a,i)
if a.row.leased==0 then
return nil,0
end
local E,next=F.bc(F.a(a,'ends'),i,500,p.now)
local aC=p.groups[a.name]
for _,t in ipairs(E)do
local q=string.match(t,'^%d+$')and{first=0,last=0}or F.Z(t)
aC.ended=aC.ended+q.last - q.first+1
end
return next,#E
end
function cG.join(p,a,i)
local B=a.row.join
if not B then
return nil,0
end
if i>=B.bound - 1 then
F.an(B)
end
B.from=math.max(B.from,i)
local x,as=F.au(a,500)
for _,b in ipairs(x)do
if not b.expires or b.expires>p.now then
p.groups[a.name].ready=p.groups[a.name].ready+1
end
end
if as<B.bound or B.lanes then
return as - 1,#x
end
return nil,#x
end
function F.ci(p,T)
while #p.todo>0 do
if T<=0 then
return false
end
local ak=p.todo[1]
local u,L=ak[1],ak[2]
local a=u=='log' or p.groups[L] and av[L]
local next,K
if a then
next,K=cG[u](p,a,ak[3])
T=T - K
end
if next then
ak[3]=next
else
table.remove(p.todo,1)
end
end
return true
end
function F.bP(S)
if not e.timer or e.timer>S then
return 0,0
end
local Q=g('ZCOUNT',n .. 'timers','-inf',S)
return Q,g('ZCOUNT',n .. 'lapse','-inf',S)
end
function F.dA(bl,S)
local Q=g('ZCOUNT',n .. 'timers',string.format('(%.0f',bl.at),S)
local bX=0
for _,t in ipairs(g('ZRANGEBYSCORE',n .. 'lapse','-inf',S,'LIMIT',0,2000))do
local m=tonumber(g('ZSCORE',n .. 'timers',t))
bX=bX+(m and m>bl.at and 1 or 0)
end
return Q,bX
end
function F.bO(p,a)
local d,aC,S=a.row,p.groups[a.name],p.now
local dh,bX=F.bP(S)
local db=e.delayed - dh
if d.since and dh>0 then
dh,bX=F.dA(d.since,S)
end
local Q=d.waiting>0 and g('ZCOUNT',F.a(a,'due'),'-inf',S)or 0
local bu,bf=e.tail - d.cursor - F.bN(d.cursor),aC.ended
local Z=d.lanes
if Z and Z.flows>0 then
Q=Q+Z.again+g('ZCOUNT',F.a(a,'rests'),'-inf',S)
bu=bu+Z.ahead
bf=bf+Z.lost+g('ZCOUNT',F.a(a,'lends'),'-inf',S)
end
return bu+Q+dh - bX+bf+aC.ready,
d.leased - bf,
db+d.waiting - Q+aC.delayed,
d.blocked+aC.blocked,
(d.parked or 0)+aC.parked
end
function F.aE(p)
local T=0
for L in pairs(p.groups)do
local aY,aW,cf,aB,bC=F.bO(p,av[L])
T=math.max(T,aY+aW+cf+aB+bC)
end
if e.groups==0 then
local A=F.J()
local _,bX=F.bP(p.now)
T=e.tail -(A and A.first or e.tail)- F.bN(0)+e.delayed - bX+p.none
if e.early then
T=T+e.early - g('ZCOUNT',n .. 'earlyreap','-inf',p.now)
end
end
return T
end
function F.dB(enough)
if not enough then
return 0
end
local p=F.cQ()
local x=F.aE(p)
if x>enough then
local dp={}
for _,ak in ipairs(p.todo)do
if ak[1]~='ends' then
dp[#dp+1]=ak
end
end
p.todo=dp
F.ci(p,10000)
x=F.aE(p)
end
return x
end
function F.bM()
local A=F.J()
local aa=e.later+(e.earlyBytes or 0)+(A and e.bytes - A.bytes or 0)
for _,a in pairs(F.c())do
aa=aa+a.row.outside
end
return aa
end
`

const drop = `function F.dC(s,b)
local t=F.b(s)
g('ZREM',n .. 'timers',t)
g('HDEL',n .. 'delayed',t)
if b.expires then
g('ZREM',n .. 'lapse',t)
end
e.delayed=e.delayed - 1
e.later=e.later - #b.record
if e.delayed==0 then
e.timer=nil
end
ac=true
end
function F.bT(w,y)
if y.number then
local b=F.A(y.number)
if not b then
return false
end
F.dC(y.number,b)
g('HDEL',n .. 'ids',w)
g('ZREM',n .. 'past',w)
return true
end
local c=y.seq
local be=e.early and e.groups==0 and F.I(c)
if be then
F.bU(be)
end
local et=be or e.groups==0 and F.aU(c)
dE=false
for _,a in pairs(F.c())do
local i=F.s(a,c)
if i then
F.bh(a,i,F.aY(a,i,c))
et=true
end
end
dE=true
for k in pairs(e.ghosts or{})do
g('ZREMRANGEBYSCORE',n .. k,c,c)
end
if not et then
return false
end
if F.u(c)then
F.cx(c)
end
local d=g('HGET',n .. 'ids',w)
if d and F.E(d).seq==c then
g('HDEL',n .. 'ids',w)
g('ZREM',n .. 'past',w)
end
return true
end
function F.ee()
if e.gone==0 then
return
end
for _,a in pairs(F.c())do
local d=a.row
for _=1,16 do
local l=d.cursor<e.tail and F.u(d.cursor)
if
not l
or g('ZCOUNT',n .. 'gone',d.cursor,l.last)<l.last - d.cursor+1
then
break
end
d.cursor=l.last+1
d.passed=l.bytes+F.bm(l,1,l.count)
a.changed=true
end
end
if e.groups==0 then
for _=1,16 do
local l=F.J()
if not l or g('ZCOUNT',n .. 'gone',l.first,l.last)<l.count then
break
end
F.aa(l.last+1,l.count)
end
end
end
`

const empty = `F.bz={'log','amend','gone','expiry','reaps','timers','delayed','lapse','early','earlyreap'}
F.dg={'state','ids','past','holds','places','over'}
function F.bt(kinds)
for _,u in ipairs(kinds)do
g('UNLINK',n .. u)
end
end
function F.cM()
local da,dj=pcall(function()
F.j()
F.c()
end)
if not da then
local ec=type(dj)=='table' and dj.err or dj
local eo=string.match(ec,'^%-?(%u%u+) ')
if eo and eo~='WRONGTYPE' then
error(dj)
end
end
return da
end
function F.cc()
F.bt(F.bz)
for k in pairs(e.ghosts or{})do
g('UNLINK',n .. k)
end
for _,ch in ipairs({'delayed','later','amended','gone','reaps','joining','late'})do
e[ch]=0
end
for _,ch in ipairs({'timer','behind','ghosts','untidy','early','earlyBytes'})do
e[ch]=nil
end
ac=true
for u,type in pairs({ids='hash',past='zset'})do
if g('TYPE',n .. u).ok~=type then
g('UNLINK',n .. u)
end
end
F.bQ()
end
function F.ce(m)
if #ARGV<m then
return 2
end
for f=m,#ARGV do
g('UNLINK',n .. ARGV[f])
end
redis.pcall('PUBLISH',n .. 'changed','wake')
return 0
end
`

const expire = `function F.dG(b)
for _,a in pairs(F.c())do
if b.seq>=a.row.cursor then
if a.row.parksNext and b.key then
F.aq(a,b)
end
F.Q(a,b,0,'expired',nil,a.row.deadFor)
end
end
F.cx(b.seq)
end
function F.dH(t,T)
local I=tonumber(t)
local l=F.u(I)
local ds,next=0,nil
if l and l.last==I then
local ay=F.ae(l.first,I)
local au=F.ah(l.first,I)
local dB=l.columns and l.columns.expires or{}
for f=1,l.count do
local c=l.first+f - 1
local bo=ay and ay[c]
local br
if bo then
br=bo.expires
else
br=dB[f]
end
if br and not(au and au[c])then
if br<=v and ds<T then
ds=ds+1
F.dG(bo or F.U(l,f))
else
next=next and math.min(next,br)or br
end
end
end
end
if next then
g('ZADD',n .. 'expiry',next,t)
else
g('ZREM',n .. 'expiry',t)
e.reaps=e.reaps - g('ZREM',n .. 'reaps',t)
end
return ds+(l and math.ceil(l.count/32)or 1)
end
function F.er(a,T)
if a.row.dead==0 then
return 0
end
local E=g('ZRANGEBYSCORE',F.a(a,'fade'),'-inf',v,'LIMIT',0,T)
for _,t in ipairs(E)do
local _,d=F.w(a,tonumber(t))
if d then
F.bX(a,d)
else
g('ZREM',F.a(a,'fade'),t)
end
end
return #E
end
function F.S(k,bU)
local S=tonumber(g('ZRANGE',k,0,0,'WITHSCORES')[2])
return S and bU and math.min(S,bU)or S or bU
end
function F.eq(aA)
if not e.reap or e.reap>v then
return 0
end
local ah=256
for _,t in ipairs(g('ZRANGEBYSCORE',n .. 'expiry','-inf',v,'LIMIT',0,256))do
if ah>0 then
ah=ah - F.dH(t,ah)
end
end
local bU
local ea,T=0,math.max(1000,2*aA)
for _,a in pairs(F.c())do
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)>0 or Z and Z.flows>0 then
local E=ah>0
and g('ZRANGEBYSCORE',F.a(a,'reap'),'-inf',v,'LIMIT',0,ah)
or{}
for _,t in ipairs(E)do
local c=tonumber(t)
local i,b=F.s(a,c),F.q(a,c)
if not i or not b then
F.d('a message')
end
local j=i.side or{}
if a.row.parksNext and b.key then
F.aq(a,b)
end
F.bh(a,i,b)
local bG=j.parked and j.parked.reason or j.error
F.Q(a,b,j.attempt or 0,'expired',bG,a.row.deadFor)
end
ah=ah - #E
end
if ah>0 then
ah=ah - F.er(a,ah)
end
bU=F.S(F.a(a,'fade'),F.S(F.a(a,'reap'),bU))
if a.row.kept then
ea=ea+F.et(a,math.max(1,T - ea))
bU=F.S(F.a(a,'until'),bU)
end
end
local ca=math.min(1000,g('ZCOUNT',n .. 'past','-inf',v))
if ca>0 then
g('ZREMRANGEBYRANK',n .. 'past',0,ca - 1)
end
e.reap=F.S(n .. 'past',F.S(n .. 'expiry',bU))
ac=true
return 2*(256 - ah)
end
`

const find = `function F.dN(s,w)
local l=F.u(s)
return l and F.cl(l,s - l.first+1)==w
end
function F.bS(w)
local es=#w==36 and string.match(w,'^%x%x%x%x%x%x%x%x$',29)
local by=es and tonumber(es,16)
if not by then
return nil
end
local bz=by % 2
local eL=(bz==0 and e.tail or e.number)- 1
local s=eL -(eL -(by - bz)/2)% 2147483648
return s>=1 and s,bz
end
function F.bk(w)
local s,bz=F.bS(w)
return s and s+bz*281474976710656
end
function F.A(s)
local d=g('HGET',n .. 'delayed',F.b(s))
return d and cmsgpack.unpack(d)
end
function F.cg(w)
local s,bz=F.bS(w)
if not s then
return nil
end
if bz==1 then
local b=F.A(s)
if b then
return b.id==w and{number=s}or nil
end
s=281474976710656+s
local be=e.early and F.I(s)
if be and be.id==w then
return{seq=s}
end
end
if bz==0 and F.dN(s,w)then
return{seq=s}
end
for _,a in pairs(F.c())do
local k=F.bs(a,s)or F.a(a,'held')
local b=F.V(k,s)
if b and b.id==w then
return{seq=s}
end
end
end
function F.B(w)
local d=g('HGET',n .. 'ids',w)
if d then
return(F.E(d))
end
return F.cg(w)
end
`

const group = `function F.am(aN,bq,bD)
return{
token=aN,
cursor=bq,
passed=bD,
floor=bq,
trimmed=bq,
cleared=bD,
leased=0,
out=0,
waiting=0,
blocked=0,
outside=0,
dead=0,
acked=0,
failed=0,
latest=0,
}
end
F.cZ={
'leases','ends','side','due','parked','named','reap','heads','chain','stops','dead','fade','letters',
'results','until','kept','progress','line','again','rests','lends','flows','lanes','ready','wake',
}
F.dp={'held','handed'}
function F.dQ(k)
if e.joining>0 then
for _,a in pairs(F.c())do
for _,ak in ipairs(a.row.join and a.row.join.keys or{})do
if ak==k then
return true
end
end
end
end
return false
end
function F.bf(k)
if F.dQ(k)then
e.ghosts=e.ghosts or{}
e.ghosts[k]=true
else
g('UNLINK',n .. k)
if e.ghosts then
e.ghosts[k]=nil
end
end
ac=true
end
function F.ca(a)
a.row.join=nil
a.changed=true
e.joining=e.joining - 1
F.bf('handed:' .. a.row.token)
for k in pairs(e.ghosts or{})do
F.bf(k)
end
end
function F.bu(a)
for _,u in ipairs(F.cZ)do
g('UNLINK',F.a(a,u))
end
F.g(e,'kept',-(a.row.kept or 0))
F.g(e,'keepers',-(a.row.keepers or 0))
if a.row.since then
e.late=e.late - 1
end
if a.row.join then
F.ca(a)
end
for _,u in ipairs(F.dp)do
F.bf(u .. ':' .. a.row.token)
end
end
function F.ed(B,k)
local ad={}
local I=B.lanes or B.bound
for _,aE in ipairs(B.parts and B.parts[k] or{{from=0,to=I,redrives=B.redrives}})do
local o,D=math.max(aE.from,B.from),math.min(aE.to,I)
if o+1<D then
ad[#ad+1]={from=o,to=D,redrives=math.min(aE.redrives,B.redrives)}
end
end
return ad
end
function F.dx(ad,aE)
for f=#ad,1,-1 do
local aD=ad[f]
if aD.from<=aE.from and aD.to>=aE.to and aD.redrives>=aE.redrives then
return
end
if aE.from<=aD.from and aE.to>=aD.to and aE.redrives>=aD.redrives then
table.remove(ad,f)
end
end
ad[#ad+1]=aE
end
function F.dR(aN,as)
local cD,ck,ad={'handed:' .. aN},{},{}
local function bR(k)
local cZ=not ck[k]
ck[k]=true
if
cZ
and(
g('ZCOUNT',n .. k,'-inf',string.format('(%.0f',as))>0
or e.laned and g('ZCOUNT',n .. k,string.format('%.0f',281474976710656),'+inf')>0
)
then
cD[#cD+1]=k
return true
end
return false
end
if e.early then
bR('early')
end
for _,a in pairs(F.c())do
bR('held:' .. a.row.token)
end
for _,a in pairs(av)do
local B=a.row.join
for _,k in ipairs(B and B.keys or{})do
if ad[k] or bR(k)then
ad[k]=ad[k] or{}
for _,aE in ipairs(F.ed(B,k))do
F.dx(ad[k],aE)
end
end
end
end
local Z=e.laned and 281474976710656+e.number or nil
return #cD>1 and{from=0,bound=as,at=v,redrives=e.redrives or 0,keys=cD,parts=ad,lanes=Z}
or nil
end
function F.aT(L,aN,o)
local A=F.J()
local bq=A and A.first or e.tail
local d=F.am(aN,bq,A and A.bytes or e.bytes)
if e.groups>0 then
if o=='latest' then
d=F.am(aN,e.tail,e.bytes)
if F.r()then
d.since={at=v,number=e.number}
end
elseif bq<e.tail then
d=F.am(aN,math.max(bq,F.al()),d.passed)
end
end
if e.early or e.groups>0 and o~='latest' then
d.join=F.dR(aN,d.cursor)
end
return{name=L,row=d,changed=false}
end
function F.cB(m)
local p=tonumber(ARGV[m])
local z={}
for f=1,p do
z[f]=ARGV[m+3*f - 2]
end
local a=F.j(unpack(z))
for f=1,p do
a=av[z[f]]
if not a then
a=F.aT(z[f],ARGV[m+3*f - 1],ARGV[m+3*f])
av[z[f]]=a
a.changed=true
a.row.born=e.holds and bQ or nil
if e.early and e.groups==0 then
e.ghosts=e.ghosts or{}
e.ghosts.early=true
e.early,e.earlyBytes=nil,nil
g('UNLINK',n .. 'earlyreap')
end
e.groups=e.groups+1
e.joining=e.joining+(a.row.join and 1 or 0)
e.late=e.late+(a.row.since and 1 or 0)
ac=true
end
end
return a,m+3*p+1
end
function F.au(a,T)
local B=a.row.join
local dx,R={},{}
local as=B.bound
for _,k in ipairs(B.keys)do
local o,an,X=B.from,0,0
while an<T do
local bM=an>0 and math.max(1,X/an)or 4194304/16
local bL=math.min(T - an,math.ceil((4194304 - X)/bM))
if bL<=0 then
break
end
local G=g('ZRANGEBYSCORE',n .. k,string.format('(%.0f',o),string.format('(%.0f',as),'LIMIT',0,bL)
for f=1,#G do
local b=cmsgpack.unpack(G[f])
if not F.C(b.seq)or b.seq<=o then
F.d('a message')
end
o=b.seq
X=X+#G[f]
if not dx[o] and F.co(B,k,b)then
dx[o]=b
R[#R+1]=o
end
end
an=an+#G
if #G<bL then
break
end
end
if an>=T or X>=4194304 then
as=math.min(as,o+1)
end
end
table.sort(R)
local x={}
for f=1,#R do
if R[f]<as then
x[#x+1]=dx[R[f]]
end
end
return x,as
end
function F.an(B)
if not B.lanes then
return false
end
B.from,B.bound,B.lanes=281474976710656 - 1,B.lanes,nil
return true
end
function F.cR(a)
local x,as=F.au(a,500)
local m=a.row.join.at
if x[1] and x[1].lane then
F.aN(a,x)
else
for f=1,#x do
F.cf(a,x[f],m)
end
end
a.row.join.from=as - 1
a.changed=true
if as>=a.row.join.bound and not F.an(a.row.join)then
F.ca(a)
end
return #x
end
`

const holds = `function F.f(a,r)
if not r then
return a and 'b' .. a or 'a'
end
return a and 'c' .. F.i(a).. r or 'd' .. r
end
function F.ap(i)
local u,bH=string.sub(i,1,1),string.sub(i,2)
if u=='b' then
return bH,nil
elseif u=='d' then
return nil,bH
elseif u=='c' then
local eH=struct.unpack('>I2',bH)
return string.sub(bH,3,eH+2),string.sub(bH,eH+3)
end
return nil,nil
end
local cq={}
function F.cp(H,a)
return H.freed~=nil and H.freed[a.name]==(a.row.born or 0)
end
function F.M(aI)
local cx={}
for f=1,#aI do
if cq[aI[f]]==nil then
cx[#cx+1]=aI[f]
end
end
for o=1,#cx,1000 do
local D=math.min(#cx,o+999)
local G=g('HMGET',n .. 'holds',unpack(cx,o,D))
for f=o,D do
local d=G[f - o+1]
cq[cx[f]]=d and cmsgpack.unpack(d)or false
end
end
end
function F.o(i)
if not e.holds then
return nil
end
F.M({i})
return cq[i] or nil
end
function F.O(i,H,a)
if not H then
return nil
end
if not H.probing then
if not(H.ends and H.ends<=v)then
return 'held'
end
if not H.probe then
return nil
end
end
if a then
return not F.cp(H,a)and 'probing' or nil
end
local p=0
local ar=F.ap(i)
for _,ak in pairs(ar and{}or F.c())do
p=p+1
if not F.cp(H,ak)then
return 'probing'
end
end
return p==0 and 'probing' or nil
end
function F.ba()
e.over=tonumber(g('ZRANGE',n .. 'over',0,0,'WITHSCORES')[2])
end
function F.bW(i)
cq[i]=false
g('HDEL',n .. 'holds',i)
g('ZREM',n .. 'over',i)
if g('ZREM',n .. 'places',i)==1 then
e.holds=e.holds>1 and e.holds - 1 or nil
end
F.ba()
ac=true
end
function F.ao(i,H)
cq[i]=H
g('HSET',n .. 'holds',i,cmsgpack.pack(H))
if H.ends then
g('ZADD',n .. 'over',H.ends,i)
else
g('ZREM',n .. 'over',i)
end
e.holds=(e.holds or 0)+g('ZADD',n .. 'places',0,i)
F.ba()
ac=true
end
function F.at(i)
local L,r=F.ap(i)
if not r then
return
end
for ak,a in pairs(F.c())do
if(not L or L==ak)and a.row.lanes and a.row.lanes.flows>0 then
local h=F.k(a,r)
if h.byLive then
h.rest,h.byLive=nil,false
end
end
end
end
function F.bn(i,H)
H.probe,H.probing,H.ends=true,true,nil
H.freed,H.out={},{}
F.ao(i,H)
F.at(i)
end
function F.aJ(i)
F.bW(i)
F.at(i)
end
function F.dD(L)
if F.o(F.f(L))then
F.bW(F.f(L))
end
local aj=F.f(L,'')
while e.holds do
local y=g('ZRANGEBYLEX',n .. 'places','[' .. aj,'(' .. aj .. '\\255','LIMIT',0,1000)
if #y==0 then
return
end
g('HDEL',n .. 'holds',unpack(y))
g('ZREM',n .. 'over',unpack(y))
g('ZREM',n .. 'places',unpack(y))
e.holds=e.holds>#y and e.holds - #y or nil
F.ba()
ac=true
end
end
function F.es()
local Y=g('ZRANGEBYSCORE',n .. 'over','-inf',v,'LIMIT',0,256)
F.M(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
if H and H.probe then
F.bn(i,H)
else
F.aJ(i)
end
end
return e.over and e.over<=v
end
function F.bd(a,z)
local Y={}
for f=1,#z do
Y[#Y+1]=F.f(nil,z[f])
Y[#Y+1]=F.f(a.name,z[f])
end
F.M(Y)
end
function F.dL(a,flows)
local z,aP={},{}
for r in pairs(flows)do
z[#z+1]=r
end
F.bd(a,z)
for _,r in ipairs(z)do
for _,i in ipairs({F.f(nil,r),F.f(a.name,r)})do
if F.O(i,cq[i],a)=='held' then
aP[r]=true
end
end
end
return aP
end
function F.ck(a,r)
local P
local aU={}
if e.holds then
local Y={F.f(nil,r),F.f(a.name,r)}
F.M(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
local bK=F.O(i,H,a)
if bK=='held' then
P=math.max(P or 0,H.ends or math.huge)
elseif bK=='probing' then
aU[#aU+1]=i
end
end
end
return P,aU
end
function F.cG(a,aU)
for _,i in ipairs(aU)do
local aQ=(F.o(i).out or{})[a.name]
if aQ then
local j=F.p(a,aQ[1])
if j and j.lease==aQ[2] then
if j.at>v then
return j.at
end
elseif not j and aQ[1]<281474976710656 and a.row.leased>a.row.out then
local q=F.ak(a,aQ[1])
if q and q.number==aQ[2] and q.ends>v then
return q.ends
end
end
end
end
end
function F.cA(a,aU,c,s)
for _,i in ipairs(aU)do
local H=F.o(i)
if not H.probing then
F.bn(i,H)
end
H.out=H.out or{}
H.out[a.name]={c,s}
F.ao(i,H)
end
end
function F.aS(a,r,s,A,I)
local ey=false
local Y={'a',F.f(a.name)}
if r then
Y[3],Y[4]=F.f(nil,r),F.f(a.name,r)
end
F.M(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
local aQ=H and H.probing and H.out and H.out[a.name]
if aQ and aQ[2]==s and aQ[1]>=A and aQ[1]<=I then
H.freed=H.freed or{}
H.freed[a.name]=a.row.born or 0
H.out[a.name]=nil
if F.ap(i)or not F.O(i,H)then
F.aJ(i)
else
F.ao(i,H)
F.at(i)
end
ey=true
end
end
return ey
end
`

const ids = `function F.K(u,s,ar,aO)
if ar>0 or aO>0 then
return string.format('%s%.0f+%.0f+%.0f',u,s,ar,aO)
end
return string.format('%s%.0f',u,s)
end
function F.E(d)
local u,s,ar,aO=string.match(d,'^([st])(%d+)%+?(%d*)%+?(%d*)$')
if not u then
F.d('an id')
end
local y=u=='s' and{seq=tonumber(s)}or{number=tonumber(s)}
return y,tonumber(ar)or 0,tonumber(aO)or 0
end
function F.bg(w,S)
if S>v then
g('ZADD',n .. 'past','GT',S,w)
F.N(S)
end
end
function F.cs(c)
if e.groups==0 then
return(e.early and F.I(c)or F.aU(c))and true
end
for _,a in pairs(F.c())do
if F.s(a,c)then
return true
end
end
return false
end
function F.ch()
for o=1,#ci,1000 do
local J,al={},{}
for f=o,math.min(#ci,o+999)do
J[#J+1]=ci[f].id
end
local G=g('HMGET',n .. 'ids',unpack(J))
for f=1,#J do
local b=ci[o+f - 1]
if e.groups==1 or not F.cs(b.seq)then
if b.named>0 then
F.bg(b.id,v+b.named)
end
if G[f] and F.E(G[f]).seq==b.seq then
al[#al+1]=b.id
end
end
end
if #al>0 then
g('HDEL',n .. 'ids',unpack(al))
end
end
ci={}
end
function F.aC(p)
local W=g('HSCAN',n .. 'ids',e.scan,'COUNT',p)
local al={}
for f=1,#W[2],2 do
local w,d=W[2][f],W[2][f+1]
local da,y,ar,aO=pcall(F.E,d)
if not da then
y,ar,aO={},0,0
end
local cu=y.seq and F.cs(y.seq)
or y.number and g('HEXISTS',n .. 'delayed',F.b(y.number))==1
if not cu then
al[#al+1]=w
aO=math.max(ar,aO)
end
if aO>0 then
F.bg(w,e.cut+aO)
end
end
for o=1,#al,1000 do
g('HDEL',n .. 'ids',unpack(al,o,math.min(#al,o+999)))
end
e.scan=W[1]~='0' and W[1] or nil
e.cut=e.scan and e.cut
ac=true
end
function F.bQ()
if g('EXISTS',n .. 'ids')==1 then
e.cut=v
e.scan='0'
ac=true
end
end
function F.bq()
if e.untidy then
e.untidy=nil
ac=true
local A=F.J()
F.aa(e.groups>0 and F.al()or A and A.first or e.tail)
end
if e.scan then
F.aC(500)
end
end
`

const lanes = `F.G='\\255'
function F.h(a)
local d=a.row
if not d.lanes then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=d.served and '' or nil,left=0}
end
return d.lanes
end
function F.dX(h)
return cmsgpack.pack(h.size,h.live,h.ahead,h.again,h.full or false,h.rest or false,h.wake or false,h.byLive or false,h.ready or false,h.woken or false,h.waited or false,h.last or false)
end
function F.ey(bZ)
local X,cj,bu,bc,ex,bH,fj,en,aY,cd,fh,I=cmsgpack.unpack(bZ)
if not(F.C(X)and F.C(cj)and F.C(bu)and F.C(bc))then
F.d('a lane')
end
return{size=X,live=cj,ahead=bu,again=bc,full=ex or nil,rest=bH or nil,wake=fj or nil,byLive=en,ready=aY,woken=cd,waited=fh,last=I or nil}
end
function F.L(a,z)
a.flows=a.flows or{}
local aI={}
for f=1,#z do
if not a.flows[z[f]] then
aI[#aI+1]=z[f]
end
end
for o=1,#aI,1000 do
local D=math.min(#aI,o+999)
local G=g('HMGET',F.a(a,'flows'),unpack(aI,o,D))
for f=o,D do
local bZ=G[f - o+1]
local h=bZ and F.ey(bZ)or{size=0,live=0,ahead=0,again=0,isNew=true}
h.lane=aI[f]
a.flows[aI[f]]=h
end
end
end
function F.aR(a,r)
if not(a.flows and a.flows[r])then
F.L(a,{r})
end
return a.flows[r]
end
function F.k(a,r)
local h=F.aR(a,r)
if not a.changedFlows then
a.changedFlows={}
end
a.changedFlows[r]=h
a.changed=true
co=true
return h
end
function F.aL(h)
h.live=h.live - 1
if h.byLive then
h.rest,h.byLive=nil,false
end
end
function F.n(command,k,arguments,cl)
for o=1,#arguments,cl do
g(command,k,unpack(arguments,o,math.min(#arguments,o+cl - 1)))
end
end
function F.aP()
co=false
for _,a in pairs(av)do
F.ag(a)
local cy=a.changedFlows
if cy then
a.changedFlows=nil
local Z=F.h(a)
local aP=e.holds and F.dL(a,cy)or{}
local G,al,ae,cN,cO,cd={},{},{},{},{},{}
for r,h in pairs(cy)do
if h.size==0 and not(h.full and h.full>v)then
if not h.isNew then
al[#al+1]=r
Z.flows=Z.flows - 1
if h.ready then
cO[#cO+1]=r
end
if h.wake then
g('ZREM',F.a(a,'wake'),r)
end
end
a.flows[r]=nil
else
local dG=h.ahead+h.again>0
local dU=h.rest and h.rest>v
local aY=dG and not dU and not aP[r]
if aY and not h.ready then
cN[#cN+1]=0
cN[#cN+1]=r
elseif h.ready and not aY then
cO[#cO+1]=r
end
h.ready=aY
h.waited=dG and(h.waited or dU and not h.byLive)
local cU=dG and dU and h.rest or h.size==0 and h.full
if cU and not(h.wake and h.wake<=cU)then
h.wake=cU
cd[#cd+1]=cU
cd[#cd+1]=r
end
if h.isNew then
h.isNew=nil
Z.flows=Z.flows+1
ae[#ae+1]=0
ae[#ae+1]=r
end
G[#G+1]=r
G[#G+1]=F.dX(h)
end
end
F.n('HSET',F.a(a,'flows'),G,1000)
F.n('HDEL',F.a(a,'flows'),al,1000)
F.n('ZREM',F.a(a,'lanes'),al,1000)
F.n('ZADD',F.a(a,'lanes'),ae,1000)
F.n('ZADD',F.a(a,'ready'),cN,1000)
F.n('ZREM',F.a(a,'ready'),cO,1000)
F.n('ZADD',F.a(a,'wake'),cd,1000)
end
end
end
function F.ad(r,m,c)
return r .. F.G .. F.b(m).. F.b(c)
end
function F.eA(a,c,j)
local h=F.k(a,j.lane)
if j.at<=v then
g('ZADD',F.a(a,'again'),0,F.ad(j.lane,j.at,c))
h.again=h.again+1
F.h(a).again=F.h(a).again+1
else
g('ZADD',F.a(a,'rests'),j.at,F.b(c))
end
end
F.cY={side='HSET',lends='ZADD',line='ZREM',unside='HDEL',unlends='ZREM'}
function F.R(a,u,ak,two)
a.deferred=a.deferred or{}
local bP=a.deferred[u]
if not bP then
bP={}
a.deferred[u]=bP
end
bP[#bP+1]=ak
if two then
bP[#bP+1]=two
end
co=true
end
function F.ag(a)
local eI=a.deferred
if eI then
a.deferred=nil
for u,bP in pairs(eI)do
F.n(F.cY[u],F.a(a,string.match(u,'^un(.*)$')or u),bP,1000)
end
end
end
function F.dE(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'rests'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ad(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).again=F.h(a).again - 1
end
end
function F.cb(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'lends'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ad(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).lost=F.h(a).lost - 1
else
F.aL(h)
end
end
function F.cv(a,c,j,P,cZ)
local h=F.k(a,j.lane)
h.live=h.live+1
j.at=P
if cZ then
F.R(a,'side',F.b(c),cmsgpack.pack(j))
F.R(a,'lends',P,F.b(c))
else
F.t(a,c,j)
g('ZADD',F.a(a,'lends'),P,F.b(c))
end
end
function F.cw(a,h,c)
F.R(a,'line',h.lane .. F.G .. F.b(c))
h.ahead=h.ahead - 1
F.h(a).ahead=F.h(a).ahead - 1
end
function F.ei(a,c,r)
F.ag(a)
local h=F.k(a,r)
g('HDEL',F.a(a,'side'),F.b(c))
g('ZADD',F.a(a,'line'),0,r .. F.G .. F.b(c))
h.ahead=h.ahead+1
h.line=nil
F.h(a).ahead=F.h(a).ahead+1
end
function F.aO(x)
local af={held={},line={},names={},bytes=0}
local aP,bi,z=af.held,af.line,af.names
for f=1,#x do
local b=x[f]
local c,r=b.seq,b.lane
aP[2*f - 1],aP[2*f]=c,cmsgpack.pack(b)
bi[2*f - 1],bi[2*f]=0,r .. F.G .. F.b(c)
z[f]=r
af.bytes=af.bytes+#b.record
af.expires=af.expires or b.expires
end
return af
end
function F.aN(a,x,af)
if #x==0 then
return
end
af=af or F.aO(x)
F.L(a,af.names)
for f=1,#x do
local h=F.k(a,af.names[f])
h.size=h.size+1
h.ahead=h.ahead+1
end
for f=1,af.expires and #x or 0 do
F.y(a,x[f])
end
F.n('ZADD',F.a(a,'held'),af.held,1000)
F.n('ZADD',F.a(a,'line'),af.line,1000)
local Z=F.h(a)
Z.ahead=Z.ahead+#x
a.row.outside=a.row.outside+af.bytes
a.changed=true
end
function F.bj(x,isFor)
if #x==0 then
return
end
e.laned=true
ac=true
if e.groups==0 then
local af=F.aO(x)
F.n('ZADD',n .. 'early',af.held,1000)
for f=1,af.expires and #x or 0 do
local b=x[f]
if b.expires then
g('ZADD',n .. 'earlyreap',b.expires,F.b(b.seq))
end
end
e.early=(e.early or 0)+#x
e.earlyBytes=(e.earlyBytes or 0)+af.bytes
return
end
local af=F.aO(x)
for _,a in pairs(F.c())do
if isFor and a.row.since then
local ar={}
for f=1,#x do
if isFor(a,f)then
ar[#ar+1]=x[f]
end
end
F.aN(a,ar)
else
F.aN(a,x,af)
end
end
end
function F.I(c)
return F.V(n .. 'early',c)
end
function F.bU(b)
g('ZREMRANGEBYSCORE',n .. 'early',b.seq,b.seq)
if b.expires then
g('ZREM',n .. 'earlyreap',F.b(b.seq))
end
e.early=e.early - 1
e.earlyBytes=e.earlyBytes - #b.record
ac=true
end
function F.eB(a)
local T=256
local am=false
local function dZ(u,bM)
local k=F.a(a,u)
local E=g('ZRANGEBYSCORE',k,'-inf',v,'WITHSCORES','LIMIT',0,T)
if #E==0 then
return
end
local R={}
for f=1,#E,2 do
R[#R+1]=E[f]
end
g('ZREM',k,unpack(R))
bM(R,E)
am=am or #R==T
end
local function fg(R,E,bR)
local aL=g('HMGET',F.a(a,'side'),unpack(R))
local z,bc={},{}
for f=1,#R do
local j=aL[f] and cmsgpack.unpack(aL[f])
if not(j and j.lane)then
F.d('a message')
end
aL[f]=j
z[f]=j.lane
end
F.L(a,z)
for f=1,#R do
local j=aL[f]
local h=F.k(a,j.lane)
bc[#bc+1]=0
bc[#bc+1]=F.ad(j.lane,j.at,tonumber(R[f]))
h.again=h.again+1
bR(h,R[f],j)
end
g('ZADD',F.a(a,'again'),unpack(bc))
end
dZ('rests',function(R,E)
fg(R,E,function()
F.h(a).again=F.h(a).again+1
end)
end)
dZ('lends',function(R,E)
fg(R,E,function(h,c,j)
F.aL(h)
F.h(a).lost=F.h(a).lost+1
if j.expires then
g('ZADD',F.a(a,'reap'),j.expires,c)
F.N(j.expires)
end
end)
end)
dZ('wake',function(z)
F.L(a,z)
for f=1,#z do
local h=F.k(a,z[f])
h.wake=nil
if h.rest and h.rest<=v then
h.rest,h.byLive=nil,false
h.woken=true
end
end
end)
return am
end
`

const leases = `function F.dZ(q)
return cmsgpack.pack({
q.first,
q.last,
q.ends,
q.number,
q.attempt,
q.named or false,
q.key or false,
q.bytes,
})
end
function F.Z(t)
local ad=F.z(cmsgpack.unpack(t),{1,2,3,4,5,8})
if ad[1]>ad[2] or ad[2]>=e.tail then
F.d('a lease')
end
return{
member=t,
first=ad[1],
last=ad[2],
ends=ad[3],
number=ad[4],
attempt=ad[5],
named=ad[6],
key=ad[7] or nil,
bytes=ad[8],
}
end
function F.ak(a,c)
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),c,'+inf','LIMIT',0,1)[1]
if not t then
return nil,nil
end
local q=F.Z(t)
if q.last<c then
F.d('a lease')
end
if q.first<=c then
return q,nil
end
return nil,q
end
function F.H(a,q)
local t=F.dZ(q)
g('ZADD',F.a(a,'leases'),q.last,t)
g('ZADD',F.a(a,'ends'),q.ends,t)
a.row.leased=a.row.leased+q.last - q.first+1
a.changed=true
end
function F.aH(a,q)
g('ZREM',F.a(a,'leases'),q.member)
g('ZREM',F.a(a,'ends'),q.member)
a.row.leased=a.row.leased -(q.last - q.first+1)
a.changed=true
end
function F.W(q,A,I)
return{
first=A,
last=I,
ends=q.ends,
number=q.number,
attempt=q.attempt,
named=q.named,
key=q.key,
bytes=q.bytes,
}
end
function F.af(a,q,A,I)
F.aH(a,q)
if A>q.first then
F.H(a,F.W(q,q.first,A - 1))
end
if I<q.last then
F.H(a,F.W(q,I+1,q.last))
end
end
`

const log = `local aT
function F.as(at)
local aq=at[2]
local aJ=F.z(cmsgpack.unpack(aq[2]),{1,2,3})
local l={
first=aJ[1],
last=tonumber(string.match(at[1],'^%d+')),
at=aJ[2],
bytes=aJ[3],
base=aJ[4],
blob=aq[4],
columns=aq[6] and cmsgpack.unpack(aq[6]),
}
local p=l.last - l.first+1
l.count=p
local P=4*p
if p<1 or l.last>=e.tail or #l.blob~=P+struct.unpack('<I4',l.blob,P - 3)then
F.d('an entry of the log')
end
return l
end
function F.bi(c,p)
return g('XRANGE',n .. 'log',string.format('%.0f-0',c),'+','COUNT',p)
end
function F.u(c)
if aT and c>=aT.first and c<=aT.last then
return aT
end
local at=F.bi(c,1)[1]
if at then
local l=F.as(at)
if l.first<=c then
aT=l
return l
end
end
end
function F.J()
local at=g('XRANGE',n .. 'log','-','+','COUNT',1)[1]
return at and F.as(at)
end
function F.Y(ao,f)
return f==1 and 0 or struct.unpack('<I4',ao,4*f - 7)
end
function F.be(l,f)
local ao,P=l.blob,4*l.count
return string.sub(ao,P+F.Y(ao,f)+1,P+F.Y(ao,f+1))
end
function F.dK(aG)
local u=string.byte(aG)
if u and u>=4 and #aG>=5 then
return string.char(4).. string.sub(aG,2,5+struct.unpack('<I4',aG,2))
end
return '\\0'
end
function F.bm(l,o,D)
return F.Y(l.blob,D+1)- F.Y(l.blob,o)
end
function F.aX(aR,s,bz)
return aR .. string.format('%08x',(s % 2147483648)*2+bz)
end
function F.cl(l,f)
local J=l.columns and l.columns.id
return J and J[f] or F.aX(l.base,l.first+f - 1,0)
end
function F.U(l,f)
local N=l.columns
local b={
seq=l.first+f - 1,
id=F.cl(l,f),
at=l.at,
record=F.be(l,f),
}
if N then
b.at=N.at and N.at[f] or l.at
b.key=N.key and N.key[f]
b.expires=N.expires and N.expires[f]
b.max=N.max and N.max[f]
b.named=N.named and N.named[f]
b.keep=N.keep and N.keep[f]
b.since=N.since and N.since[f]
end
return b
end
function F.bJ(c)
if e.amended>0 then
local d=g('ZRANGEBYSCORE',n .. 'amend',c,c)[1]
return d and cmsgpack.unpack(d)
end
end
function F.ae(A,I)
if e.amended==0 then
return nil
end
local G=g('ZRANGEBYSCORE',n .. 'amend',A,I)
if #G==0 then
return nil
end
local ay={}
for f=1,#G do
local b=cmsgpack.unpack(G[f])
ay[b.seq]=b
end
return ay
end
function F.dy(b)
local c=b.seq
local fE=e.amended>0 and g('ZREMRANGEBYSCORE',n .. 'amend',c,c)or 0
e.amended=e.amended+1 - fE
ac=true
g('ZADD',n .. 'amend',c,cmsgpack.pack(b))
end
function F.N(S)
if not e.reap or S<e.reap then
e.reap=S
ac=true
end
end
function F.b(c)
return string.format('%016.0f',c)
end
function F.cr(c)
return e.gone>0 and g('ZSCORE',n .. 'gone',F.b(c))and true
end
function F.bN(c)
return e.gone>0 and g('ZCOUNT',n .. 'gone',c,'+inf')or 0
end
function F.ah(A,I)
if e.gone==0 then
return nil,0
end
local E=g('ZRANGEBYSCORE',n .. 'gone',A,I)
if #E==0 then
return nil,0
end
local au={}
for f=1,#E do
au[tonumber(E[f])]=true
end
return au,#E
end
function F.cx(c)
e.gone=e.gone+g('ZADD',n .. 'gone',c,F.b(c))
ac=true
end
function F.aU(c)
return F.u(c)and not F.cr(c)
end
function F.dM(c)
local bo=F.bJ(c)
if bo then
return(bo.named or bo.keep)and bo
end
local l=F.u(c)
local f=c - l.first+1
local N=l.columns
if N and N.keep and N.keep[f] then
return F.U(l,f)
end
local ae=N and N.named and N.named[f]
return ae and{seq=c,id=N.id[f],named=ae}
end
function F.x(c)
local bo=F.bJ(c)
if bo then
return bo
end
local l=F.u(c)
return l and F.U(l,c - l.first+1)
end
`

const moves = `function F.m(b)
local k,r=b.key,b.lane
return k and r and '\\255' .. struct.pack('>I2',#r).. r .. k or k
end
function F.ab(a,c,j)
F.t(a,c,j)
if j.lane then
F.eA(a,c,j)
else
g('ZADD',F.a(a,'due'),j.at,F.b(c))
end
a.row.waiting=a.row.waiting+1
a.changed=true
end
function F.aM(a,c,j)
if j.lane then
F.dE(a,c,j)
else
g('ZREM',F.a(a,'due'),F.b(c))
end
a.row.waiting=a.row.waiting - 1
end
function F.aK(a,c,j)
if j.lane then
F.cb(a,c,j)
else
g('ZREM',F.a(a,'ends'),F.b(c))
end
a.row.leased=a.row.leased - 1
a.row.out=a.row.out - 1
end
function F.y(a,b)
if b.expires then
g('ZADD',F.a(a,'reap'),b.expires,F.b(b.seq))
F.N(b.expires)
end
end
function F.aZ(a,k,c)
local d,aj=a.row,F.i(k)
local t=d.blocked+(d.parked or 0)>0
and g('ZRANGEBYLEX',F.a(a,'chain'),'(' .. aj .. F.b(c),'[' .. aj .. '\\255','LIMIT',0,1)[1]
if t then
return tonumber(string.sub(t,#aj+1)),t
end
end
function F.v(a,k)
if not k then
return
end
local c,t=F.aZ(a,k,0)
if not c then
g('HDEL',F.a(a,'heads'),k)
return
end
g('ZREM',F.a(a,'chain'),t)
g('HSET',F.a(a,'heads'),k,F.b(c))
local j=F.p(a,c)
if j and j.parked then
return
end
a.row.blocked=a.row.blocked - 1
if j and j.lane and j.at==0 then
F.ei(a,c,j.lane)
return
end
F.ab(a,c,{at=math.max(v,j and j.at or 0),attempt=0,lane=j and j.lane})
end
function F.bL(a,b,m)
F.X(a,b)
F.y(a,b)
F.cP(a,b,m)
end
function F.cP(a,b,m)
g('ZADD',F.a(a,'chain'),0,F.i(F.m(b)).. F.b(b.seq))
if m or b.lane then
F.t(a,b.seq,{at=m or 0,blocked=true,lane=b.lane})
end
a.row.blocked=a.row.blocked+1
end
function F.aj(a,k)
return g('HEXISTS',F.a(a,'heads'),k)==1
end
function F.en(a,b)
if a.row.stops and F.ct(a,b)then
return true
end
if F.aj(a,b.key)then
F.bL(a,b)
return true
end
return false
end
function F.cf(a,b,m)
local ab=F.m(b)
if ab and F.aj(a,ab)and not(a.row.parked and F.eg(a,b))then
F.bL(a,b,m)
return
end
if ab then
g('HSET',F.a(a,'heads'),ab,F.b(b.seq))
end
F.X(a,b)
F.y(a,b)
F.ab(a,b.seq,{at=m,attempt=0,lane=b.lane})
end
function F.bh(a,i,b)
local d,u,c=a.row,i.kind,b.seq
a.changed=true
if d.running then
F.bZ(a,c)
end
if u=='ahead' then
return
end
if u=='unjoined' then
g('ZREMRANGEBYSCORE',F.a(a,'handed'),c,c)
return
end
if u=='leased' then
F.af(a,i.lease,c,c)
F.v(a,i.lease.key)
return
end
F.bV(a,b)
local ab=F.m(b)
if u=='parked' then
F.aI(a,b)
if ab and not F.T(a,ab,c)then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
ab=nil
end
F.v(a,ab)
return
end
if u=='lined' then
F.cw(a,F.k(a,b.lane),c)
if ab and g('HGET',F.a(a,'heads'),ab)==F.b(c)then
F.v(a,ab)
end
return
end
if u=='blocked' then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
d.blocked=d.blocked - 1
return
end
if u=='held' then
F.aK(a,c,i.side)
else
F.aM(a,c,i.side)
end
F.v(a,ab)
end
local ci={}
function F.aG(b)
if b.named then
ci[#ci+1]=b
end
end
function F.bp(a,by)
F.g(a.row,'keepers',by)
F.g(e,'keepers',by)
a.changed,ac=true,true
end
function F.Q(a,b,U,bE,bG,cz)
local d=a.row
local O={message=b,attempt=U,reason=bE,error=bG,at=ap,fence=bQ}
if cz then
O.ends=v+cz
g('ZADD',F.a(a,'fade'),O.ends,F.b(b.seq))
F.N(O.ends)
end
if b.named then
g('ZADD',F.a(a,'letters'),0,F.i(b.id).. F.b(b.seq))
end
g('ZADD',F.a(a,'dead'),b.seq,cmsgpack.pack(O))
d.dead=d.dead+1
d.failed=d.failed+1
a.changed=true
if b.keep then
F.bp(a,1)
F.aD(a,b,U,{status='dead',reason=bE,error=bG})
end
F.aG(b)
end
function F.w(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'dead'),c,c)[1]
local O=d and cmsgpack.unpack(d)
if O and not(O.ends and O.ends<=v)then
return O,d
end
return nil,d
end
function F.bX(a,d)
local O=cmsgpack.unpack(d)
local b=O.message
g('ZREM',F.a(a,'dead'),d)
if O.ends then
g('ZREM',F.a(a,'fade'),F.b(b.seq))
end
if b.named then
g('ZREM',F.a(a,'letters'),F.i(b.id).. F.b(b.seq))
end
if b.keep then
F.bp(a,-1)
end
local ab=a.row.stops and F.m(b)
if ab and g('HGET',F.a(a,'stops'),ab)==F.b(b.seq)then
F.cd(a,ab)
end
a.row.dead=a.row.dead - 1
a.changed=true
end
`

const outcomes = `function F.aD(a,b,U,C)
bW=bW or{}
local aV=bW[a] or{}
bW[a]=aV
C.seq,C.id,C.key,C.lane=b.seq,b.id,b.key,b.lane
C.at,C.max,C.attempt=b.at,b.max,U
C.ended,C.ends=ap,v+b.keep
aV[#aV+1]={C,b.named}
end
function F.cU(c,w)
return F.b(c)..(w or '')
end
function F.cu()
local z={}
for a,aV in pairs(bW)do
for o=1,#aV,500 do
local D=math.min(#aV,o+500 - 1)
local J,V,cS,bO,R={},{},{},{},{}
for f=o,D do
J[#J+1]=aV[f][1].id
end
local G=g('HMGET',n .. 'ids',unpack(J))
local cJ=a.row.kept and g('HMGET',F.a(a,'kept'),unpack(J))or{}
for f=o,D do
local C,ae=aV[f][1],aV[f][2]
local d,aD=G[f - o+1],cJ[f - o+1]
local eB=not d and not aD
if ae then
eB=d and F.E(d).seq==C.seq and(not aD or tonumber(aD)==C.seq)
end
if eB then
V[#V+1]=C.seq
V[#V+1]=cmsgpack.pack(C)
cS[#cS+1]=C.ends
cS[#cS+1]=F.cU(C.seq,ae and C.id)
if ae then
bO[#bO+1]=C.id
bO[#bO+1]=F.b(C.seq)
end
z[#z+1]=C.id
F.N(C.ends)
elseif C.status=='dead' then
F.bo(a,C.seq)
end
R[#R+1]=F.b(C.seq)
end
if #V>0 then
g('ZADD',F.a(a,'results'),unpack(V))
g('ZADD',F.a(a,'until'),unpack(cS))
F.g(a.row,'kept',#V/2)
F.g(e,'kept',#V/2)
end
if #bO>0 then
g('HSET',F.a(a,'kept'),unpack(bO))
end
if a.row.running then
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),unpack(R)))
end
end
a.changed,ac=true,true
end
if #z>0 then
ed=#z>64 and '"many"' or cjson.encode(z)
end
bW=nil
end
function F.et(a,T)
local E=g('ZRANGEBYSCORE',F.a(a,'until'),'-inf',v,'LIMIT',0,T)
if #E==0 then
return 0
end
g('ZREMRANGEBYRANK',F.a(a,'until'),0,#E - 1)
local R,J={},{}
for f=1,#E do
R[f]=tonumber(string.sub(E[f],1,16))
if #E[f]>16 then
J[#J+1]=string.sub(E[f],17)
end
end
table.sort(R)
local o=1
for f=1,#R do
if R[f+1]~=R[f]+1 then
g('ZREMRANGEBYSCORE',F.a(a,'results'),R[o],R[f])
o=f+1
end
end
for A=1,#J,1000 do
g('HDEL',F.a(a,'kept'),unpack(J,A,math.min(#J,A+999)))
end
F.g(a.row,'kept',-#E)
F.g(e,'kept',-#E)
a.changed,ac=true,true
return #E
end
function F.bb(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'results'),c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.bY(a,c)
local C=F.bb(a,c)
if not C then
return
end
local t=F.cU(c,C.id)
g('ZREMRANGEBYSCORE',F.a(a,'results'),c,c)
g('ZREM',F.a(a,'until'),F.b(c),t)
if g('HGET',F.a(a,'kept'),C.id)==F.b(c)then
g('HDEL',F.a(a,'kept'),C.id)
end
F.g(a.row,'kept',-1)
F.g(e,'kept',-1)
a.changed,ac=true,true
end
function F.bo(a,c)
local O,d=F.w(a,c)
if O and O.message.keep then
O.message.keep=nil
F.bp(a,-1)
g('ZREM',F.a(a,'dead'),d)
g('ZADD',F.a(a,'dead'),c,cmsgpack.pack(O))
end
end
function F.ep(a,w,by)
local aj=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'letters'),'[' .. aj,'[' .. aj .. '\\255'))do
F.bo(a,tonumber(string.sub(t,#aj+1)))
end
local O=by and F.w(a,by)
if O and O.message.id==w then
F.bo(a,by)
end
end
function F.dI(J)
for _,a in pairs(F.c())do
local d=a.row
for o=1,(d.kept or d.keepers)and #J or 0,1000 do
local D=math.min(#J,o+999)
local y=d.kept and g('HMGET',F.a(a,'kept'),unpack(J,o,D))or{}
for f=o,D do
local w,by=J[f],F.bk(J[f])
local c=tonumber(y[f - o+1])or by
local C=d.kept and c and F.bb(a,c)
if C and C.id==w then
F.bY(a,c)
end
if d.keepers then
F.ep(a,w,by)
end
end
end
end
end
function F.cC(a,w)
local c=tonumber(g('HGET',F.a(a,'kept'),w))or F.bk(w)
local C=c and F.bb(a,c)
return C and C.id==w and C.ends>v and C or nil
end
function F.bR(C)
if C.status=='done' then
return{'done',C.ended,C.value or ''}
end
return{'dead',C.ended,C.reason,C.error or ''}
end
function F.dW(a,b,s,ag)
if b.keep then
local d=cmsgpack.pack({s,ag,ap})
F.g(a.row,'running',g('HSET',F.a(a,'progress'),F.b(b.seq),d))
end
end
function F.bZ(a,c)
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),F.b(c)))
a.changed=true
end
function F.cH(a,c,s)
local d=g('HGET',F.a(a,'progress'),F.b(c))
local bt=d and cmsgpack.unpack(d)
if bt and bt[1]==s then
return{bt[3],bt[2]}
end
end
`

const parked = `function F.T(a,k,c)
return g('HGET',F.a(a,'heads'),k)==F.b(c)
end
function F.cJ(a,b,j)
local c=b.seq
F.t(a,c,j)
g('ZADD',F.a(a,'parked'),c,F.b(c))
if b.named then
g('ZADD',F.a(a,'named'),0,F.i(b.id).. F.b(c))
end
F.g(a.row,'parked',1)
a.changed=true
end
function F.aI(a,b)
g('ZREM',F.a(a,'parked'),F.b(b.seq))
if b.named then
g('ZREM',F.a(a,'named'),F.i(b.id).. F.b(b.seq))
end
F.g(a.row,'parked',-1)
a.changed=true
end
function F.eb(a,b,j)
F.y(a,b)
F.cJ(a,b,j)
local k=F.m(b)
if k and a.row.blocked>0 then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(b.seq))
F.v(a,k)
end
end
function F.cI(a,c,r)
if r then
F.t(a,c,{at=0,blocked=true,lane=r})
else
g('HDEL',F.a(a,'side'),F.b(c))
end
a.row.blocked=a.row.blocked+1
end
function F.ec(a,w,y)
local R={}
local aj=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'named'),'[' .. aj,'(' .. aj .. '\\255'))do
local c=tonumber(string.sub(t,#aj+1))
if c~=y then
table.insert(R,1,c)
end
end
if y then
table.insert(R,1,y)
end
return R
end
function F.cS(a,b)
local c,k,r=b.seq,F.m(b),b.lane
F.aI(a,b)
if k and not F.T(a,k,c)then
F.cI(a,c,r)
else
F.ab(a,c,{at=v,attempt=0,lane=r})
end
end
F.cW='sbehind a dead letter'
function F.cD(a,b,O)
F.cJ(a,b,{attempt=0,parked={reason=F.cW,at=ap,letter=O}})
end
function F.dS(a,b)
local k=F.m(b)
local aJ=tonumber(g('HGET',F.a(a,'heads'),k))
local c=aJ and aJ>b.seq and aJ or F.aZ(a,k,b.seq)
local j=c and F.p(a,c)
if j and j.parked and j.parked.letter==b.seq then
F.aI(a,F.q(a,c))
F.cI(a,c,b.lane)
if c==aJ then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
g('HDEL',F.a(a,'heads'),k)
end
end
end
function F.aq(a,b)
local k=F.m(b)
local c=F.aZ(a,k,b.seq)
if not c then
local bd=a.row.stops and tonumber(g('HGET',F.a(a,'stops'),k))
if not(bd and bd<b.seq and F.w(a,bd))then
F.g(a.row,'stops',g('HSET',F.a(a,'stops'),k,F.b(b.seq)))
end
return
end
local j=F.p(a,c)
if not(j and j.parked)then
a.row.blocked=a.row.blocked - 1
F.cD(a,F.q(a,c),b.seq)
end
end
function F.cd(a,k)
F.g(a.row,'stops',-g('HDEL',F.a(a,'stops'),k))
a.changed=true
end
function F.ct(a,b)
local k,c=F.m(b),b.seq
local O=tonumber(g('HGET',F.a(a,'stops'),k))
if not O or O>c then
return false
end
F.cd(a,k)
if not F.w(a,O)then
return false
end
if not b.lane then
F.X(a,b)
F.y(a,b)
end
F.cD(a,b,O)
if b.lane and F.T(a,k,c)then
return true
end
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
if not F.aj(a,k)then
F.v(a,k)
end
return true
end
function F.eg(a,b)
local k=F.m(b)
local aJ=g('HGET',F.a(a,'heads'),k)
local c=aJ and tonumber(aJ)
local j=c and c>b.seq and F.p(a,c)
if j and j.parked then
g('ZADD',F.a(a,'chain'),0,F.i(k).. aJ)
return true
end
return false
end
`

const places = `function F.p(a,c)
local d=g('HGET',F.a(a,'side'),F.b(c))
return d and cmsgpack.unpack(d)
end
function F.t(a,c,j)
g('HSET',F.a(a,'side'),F.b(c),cmsgpack.pack(j))
end
function F.V(k,c)
local d=g('ZRANGEBYSCORE',k,c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.q(a,c)
return F.V(F.a(a,'held'),c)
end
function F.ai(a,c)
local b,j=F.q(a,c),F.p(a,c)
if not b or b.seq~=c or type(b.record)~='string' or not F.C(j and j.attempt)then
F.d('a message')
end
return b,j
end
function F.X(a,b)
g('ZADD',F.a(a,'held'),b.seq,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size+1
end
end
local dE=true
function F.aW(B,b)
return b.redriven and b.redriven>B.redrives
end
function F.bK(B,c)
return c>B.from and c<B.bound or B.lanes and c>=281474976710656 and c<B.lanes
end
function F.cj(a,b)
for _,aD in pairs(F.c())do
local B=aD.row.join
if B and aD~=a and F.bK(B,b.seq)and not F.aW(B,b)then
local k=F.a(aD,'handed')
if g('ZCOUNT',k,b.seq,b.seq)==0 then
g('ZADD',k,b.seq,cmsgpack.pack(b))
end
end
end
end
function F.bV(a,b)
if e.joining>0 and dE then
F.cj(a,b)
end
local c=b.seq
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('HDEL',F.a(a,'side'),F.b(c))
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
a.row.outside=a.row.outside - #b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size - 1
end
end
function F.co(B,k,b)
if F.aW(B,b)then
return false
end
local ad=B.parts and B.parts[k]
for _,aE in ipairs(ad or{})do
if b.seq>aE.from and b.seq<aE.to and not F.aW(aE,b)then
return true
end
end
return not ad
end
function F.bs(a,c)
local B=a.row.join
if B and F.bK(B,c)then
for _,k in ipairs(B.keys)do
local b=F.V(n .. k,c)
if b and F.co(B,k,b)then
return n .. k
end
end
end
end
function F.em(b)
b.redriven=nil
if e.joining>0 then
F.g(e,'redrives',1)
b.redriven=e.redrives
ac=true
end
end
function F.cE(j)
return{kind=j.parked and 'parked' or j.blocked and 'blocked' or j.lease and 'held' or 'waiting',side=j}
end
function F.s(a,c)
local d=a.row
if c>=281474976710656 then
local j=d.lanes and d.lanes.flows>0 and F.p(a,c)
if j then
return F.cE(j)
end
if d.lanes and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='lined'}
end
local k=F.bs(a,c)
return k and{kind='unjoined',key=k}or nil
end
if d.leased+d.waiting+d.blocked+(d.parked or 0)>0 then
local j=F.p(a,c)
if j then
return F.cE(j)
end
if d.blocked>0 and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='blocked'}
end
local q=d.leased>d.out and F.ak(a,c)
if q then
return{kind='leased',lease=q}
end
end
if c>=d.cursor and not F.cr(c)then
return{kind='ahead'}
end
local k=F.bs(a,c)
if k then
return{kind='unjoined',key=k}
end
end
function F.aY(a,i,c)
if i.kind=='ahead' or i.kind=='leased' then
return F.x(c)
end
return F.V(i.key or F.a(a,'held'),c)
end
function F.i(k)
return struct.pack('>I2',#k).. k
end
`

const rows = `local ba=KEYS[1]
local bQ,ap,bY=string.match(ARGV[1],'^(%d+) ?([%d.]*)(%a*)$')
bQ,ap=tonumber(bQ),tonumber(ap)
if bY~='' then
for f=2,#ARGV do
if string.find(ARGV[f],'\\239',1,true)then
local ec=string.gsub(ARGV[f],'\\239\\158([\\128-\\191])','%1')
ARGV[f]=string.gsub(ec,'\\239\\159([\\128-\\191])',function(fm)
return string.char(string.byte(fm)+64)
end)
end
end
if string.find(bY,'e',1,true)then
local dH=redis.pcall('INFO','memory')
local eO=type(dH)=='string' and string.match(dH,'maxmemory_policy:(allkeys[%a-]*)')
if eO and not string.find(dH,'maxmemory:0\\r',1,true)then
return redis.error_reply('EVICTS ' .. eO)
end
end
end
if ap==nil then
local S=redis.call('TIME')
ap=S[1]*1000+math.floor(S[2]/1000)
end
local ek=false
local av={}
local ac=false
local bW,ed
local co=false
local v=ap
local e
local n=string.sub(ba,1,-6)
local g=redis.call
local F={}
local loadRest
setmetatable(F,{
__index=function(_,L)
local eJ=loadRest
loadRest=nil
if eJ then
eJ()
end
return rawget(F,L)
end,
})
function F.a(a,u)
return n .. u .. ':' .. a.row.token
end
function F.d(what)
error(what .. ' is not as it was written')
end
function F.C(ag)
return type(ag)=='number' and ag>-1e15 and ag<1e15
end
function F.z(d,aq)
for f=1,#aq do
local ag=d[aq[f]]
if not(ag>-1e15 and ag<1e15)then
F.d(aq[f])
end
end
return d
end
F.az={'tail','bytes','sent','delayed','later','number','amended','gone','reaps','groups','joining','late','latest','skew'}
F.dk={'behind','cut','scan','ghosts','untidy','kept','laned','early','earlyBytes','holds','over','redrives','keepers'}
F.dl={'join','since','parksNext','parked','stops','kept','keepers','running','lanes','born'}
function F.cL(d,z)
local aX=false
for f=1,#z do
local ag=d[z[f]]
if ag~=nil then
aX=aX or{}
aX[z[f]]=ag
end
end
return aX
end
function F.g(d,L,by)
local p=(d[L] or 0)+by
d[L]=p~=0 and p or nil
end
function F.ea()
local aX=F.cL(e,F.dk)
local aK=e
return cmsgpack.pack(aK.tail,aK.bytes,aK.sent,aK.delayed,aK.later,aK.number,aK.amended,aK.gone,aK.reaps,aK.groups,aK.joining,aK.late,aK.latest,aK.skew,aK.timer or false,aK.reap or false,aX)
end
function F.ez(bZ)
local bm,aa,eV,cf,db,s,el,au,eS,p,eE,eG,bg,fa,ff,eR,aX=cmsgpack.unpack(bZ)
e={tail=bm,bytes=aa,sent=eV,delayed=cf,later=db,number=s,amended=el,gone=au,reaps=eS,groups=p,joining=eE,late=eG,latest=bg,skew=fa,timer=ff or nil,reap=eR or nil}
F.z(e,F.az)
for k,ag in pairs(aX or{})do
e[k]=ag
end
if e.delayed>0 then
F.z(e,{'timer'})
end
end
F.da={'cursor','passed','floor','trimmed','cleared','leased','out','waiting','blocked','outside','dead','acked','failed','latest'}
function F.dY(d)
local aX=F.cL(d,F.dl)
return cmsgpack.pack(d.token,d.cursor,d.passed,d.floor,d.trimmed,d.cleared,d.leased,d.out,d.waiting,d.blocked,d.outside,d.dead,d.acked,d.failed,d.latest,d.deadFor or false,aX,d.served or false)
end
function F.bG(L,bZ)
local aN,bq,bD,aw,ee,cn,aW,aQ,ei,aB,dS,dA,du,bN,bg,cz,aX,eW=cmsgpack.unpack(bZ)
local d={token=aN,cursor=bq,passed=bD,floor=aw,trimmed=ee,cleared=cn,leased=aW,out=aQ,waiting=ei,blocked=aB,outside=dS,dead=dA,acked=du,failed=bN,latest=bg,deadFor=cz or nil,served=eW}
F.z(d,F.da)
if d.cursor>e.tail or type(d.token)~='string' then
F.d('a group')
end
if aX then
for k,ag in pairs(aX)do
d[k]=ag
end
d.join=d.join and F.z(d.join,{'from','bound','at','redrives'})
d.since=d.since and F.z(d.since,{'at','number'})
d.lanes=d.lanes and F.z(d.lanes,{'flows','ahead','again','lost','left'})
end
local a={name=L,row=d,changed=false}
av[L]=a
return a
end
function F.j(...)
local z={...}
local aq={'queue'}
for f=1,#z do
aq[f+1]='group:' .. z[f]
end
local G=g('HMGET',ba,unpack(aq))
if G[1] then
F.ez(G[1])
else
e={}
for f=1,#F.az do
e[F.az[f]]=0
end
e.tail,e.number=1,1
end
local bg=e.latest
local I
for f=1,#z do
I=av[z[f]] or G[f+1] and F.bG(z[f],G[f+1])
if I and I.row.latest>bg then
bg=I.row.latest
end
end
v=ap+e.skew
if v<bg - 1000 then
e.skew=bg - ap
ac=true
v=bg
end
return I or nil
end
function F.c()
if not ek then
ek=true
local dM=0
for _ in pairs(av)do
dM=dM+1
end
if dM<e.groups then
local G=g('HGETALL',ba)
for f=1,#G,2 do
local L=string.match(G[f],'^group:(.*)$')
if L and not av[L] then
F.bG(L,G[f+1])
end
end
end
end
return av
end
function F.aQ(a)
local d=a.row
if d.leased>d.out then
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if A then
local q=cmsgpack.unpack(A)
return math.min(q[1],d.cursor),q[8]
end
end
return d.cursor,d.passed
end
function F.al()
local dN=e.tail
for _,a in pairs(F.c())do
local aw=a.changed and F.aQ(a)or a.row.floor
if aw<dN then
dN=aw
end
end
return dN
end
function F.br(u,bp)
local p=g('ZCOUNT',n .. u,'-inf',bp)
if p>5000 then
p=5000
e.untidy=true
end
if p>0 then
g('ZREMRANGEBYRANK',n .. u,0,p - 1)
ac=true
end
return p
end
function F.aa(aw,cP)
local w=string.format('%.0f',aw)
if
cP and cP<200000
or g('XTRIM',n .. 'log','MINID','~',w,'LIMIT',200000)<200000/2
then
g('XTRIM',n .. 'log','MINID',w)
else
e.untidy=true
ac=true
end
local bp='(' .. w
if e.amended>0 then
e.amended=e.amended - F.br('amend',bp)
end
if e.gone>0 then
e.gone=e.gone - F.br('gone',bp)
end
if e.reaps>0 then
local bf=g('ZRANGEBYSCORE',n .. 'reaps','-inf',bp,'LIMIT',0,5000)
if #bf>0 then
g('ZREM',n .. 'expiry',unpack(bf))
e.reaps=e.reaps - F.br('reaps',bp)
end
end
end
function F.l(wakes)
if co then
F.aP()
end
local aq={}
for L,a in pairs(av)do
if a.changed then
local d=a.row
local aw,cn=F.aQ(a)
d.floor=aw
if
aw~=d.trimmed
and(aw - d.trimmed>=64 or aw>=e.tail or cn - d.cleared>=1048576)
then
if e.groups>1 then
F.aa(F.al())
else
F.aa(aw,aw - d.trimmed)
end
d.trimmed=aw
d.cleared=cn
end
if v>d.latest then
d.latest=v
end
aq[#aq+1]='group:' .. L
aq[#aq+1]=F.dY(d)
end
end
if ac then
if v>e.latest then
e.latest=v
end
aq[#aq+1]='queue'
aq[#aq+1]=F.ea()
end
if #aq>0 then
g('HSET',ba,unpack(aq))
if wakes~=nil or ed then
redis.pcall('PUBLISH',n .. 'changed',(wakes and 'wake' or 'news')..(ed or ''))
end
end
end
`

const settling = `local bI=false
F.bA={a=5,v=5,b=6,r=8,k=9,p=7,e=7}
function F.ek(a,u,fence,c,az)
local O,d=F.w(a,c)
if not O or O.fence~=fence or u~='r' and u~='b' then
return false
end
F.bX(a,d)
if u=='r' then
local b=O.message
if b.keep and a.row.kept then
F.bY(a,c)
end
b.expires=nil
F.em(b)
if a.row.parked and b.key then
F.dS(a,b)
end
if b.named then
local J=n .. 'ids'
g('HSETNX',J,b.id,F.K('s',c,b.named,0))
if b.keep and F.E(g('HGET',J,b.id)).seq~=c then
b.keep=nil
end
end
F.cf(a,b,v+az)
end
return true
end
function F.cm(a,j,q,b)
local d,c=a.row,b.seq
if d.running then
F.bZ(a,c)
end
if j then
F.aK(a,c,j)
else
F.af(a,q,c,c)
F.X(a,b)
end
end
function F.D(m)
return m and ARGV[m]~='' and ARGV[m] or nil
end
function F.bl(a,u,s,c,m)
local d=a.row
local j=d.out>0 and F.p(a,c)
local q
if not j or j.lease~=s then
j=nil
q=d.leased>d.out and F.ak(a,c)
if not q or q.number~=s then
return false
end
end
local U=(j or q).attempt
if u=='e' then
local P=v+tonumber(ARGV[m])
local bt=F.D(m+1)
if bt then
F.dW(a,j and F.q(a,c)or F.x(c),s,bt)
end
if j and j.lane then
F.cb(a,c,j)
F.cv(a,c,j,P)
if j.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
elseif j then
g('ZADD',F.a(a,'ends'),P,F.b(c))
j.at=P
F.t(a,c,j)
else
F.af(a,q,c,c)
local ev=F.W(q,c,c)
ev.ends=P
F.H(a,ev)
end
a.changed=true
return true
end
local b=j and F.q(a,c)or F.x(c)
if u=='r' then
local Q=v+tonumber(ARGV[m])
if not b.expires or b.expires>Q then
local ep=ARGV[m+1]=='1'
F.cm(a,j,q,b)
F.y(a,b)
if ep then
d.failed=d.failed+1
end
F.ab(a,c,{at=Q,attempt=ep and U or U - 1,error=F.D(m+2),lane=b.lane})
return true
end
elseif u=='p' and(not b.expires or b.expires>v)then
F.cm(a,j,q,b)
F.eb(a,b,{attempt=U,parked={reason=ARGV[m],data=F.D(m+1),at=ap}})
return true
end
local eN=d.parksNext
if u=='k' then
eN=ARGV[m+3]=='1'
end
if eN and u~='b' and b.key then
F.aq(a,b)
end
F.bh(a,j and{kind='held',side=j}or{kind='leased',lease=q},b)
if u=='b' then
if e.holds then
F.aS(a,b.lane,s,c,c)
end
d.acked=d.acked+1
if b.keep then
F.aD(a,b,U,{status='done',value=F.D(m)})
end
F.aG(b)
elseif u=='k' then
F.Q(a,b,U,ARGV[m],F.D(m+1),tonumber(ARGV[m+2]))
else
F.Q(a,b,U,'expired',u=='p' and ARGV[m] or F.D(m+2))
end
return true
end
function F.dw(a,s,A,I,V,cc)
local c=A
while c<=I do
local q,ej=F.ak(a,c)
local D=I
if q and q.number==s then
D=math.min(I,q.last)
F.af(a,q,c,D)
if e.holds and F.aS(a,nil,s,c,D)then
bI=true
end
a.row.acked=a.row.acked+D - c+1
if q.key then
F.v(a,q.key)
bI=true
end
if q.named then
for ak=c,D do
local b=F.dM(ak)
if b then
if b.keep then
F.aD(a,b,q.attempt,{status='done',value=F.D(cc and cc+ak)})
end
F.aG(b)
end
end
end
V[#V+1]=string.rep('1',D - c+1)
else
if q or ej then
D=math.min(I,q and q.last or ej.first - 1)
end
if a.row.out>0 then
for ak=c,D do
local aA=F.bl(a,'b',s,ak,cc and cc+ak)
bI=bI or aA
V[#V+1]=aA and '1' or '0'
end
else
V[#V+1]=string.rep('0',D - c+1)
end
end
c=D+1
end
end
function F.dv(a,m,V)
local aN,d=a.row.token,a.row
local aC,R,E,cc,z={},{},{},{},{}
while #R<1000 and ARGV[m]=='b' and ARGV[m+1]==aN do
local c=tonumber(ARGV[m+3])
if c<281474976710656 or ARGV[m+4]=='d' then
break
end
aC[#aC+1]=tonumber(ARGV[m+2])
R[#R+1]=c
E[#E+1]=F.b(c)
cc[#cc+1]=m+5
m=m+F.bA.b
end
local aL,cH=g('HMGET',F.a(a,'side'),unpack(E)),{}
for f=1,#R do
if aL[f] then
aL[f]=cmsgpack.unpack(aL[f])
z[#z+1]=aL[f].lane
end
end
F.L(a,z)
if e.holds then
F.bd(a,z)
end
local A,I
local function ew()
if A then
g('ZREMRANGEBYSCORE',F.a(a,'held'),A,I)
end
end
for f=1,#R do
local j,c,aA=aL[f],R[f],false
if j and j.lease==aC[f] and not cH[c] then
cH[c]=true
aA=true
if j.size and j.at>v and e.joining==0 then
if e.holds then
F.aS(a,j.lane,aC[f],c,c)
end
local h=F.k(a,j.lane)
h.size=h.size - 1
F.aL(h)
d.outside=d.outside - j.size
d.leased,d.out,d.acked=d.leased - 1,d.out - 1,d.acked+1
F.R(a,'unlends',E[f])
F.R(a,'unside',E[f])
if A and c==I+1 then
I=c
else
ew()
A,I=c,c
end
else
aA=F.bl(a,'b',aC[f],c,cc[f])
end
end
bI=bI or aA
V[#V+1]=aA and '1' or '0'
end
ew()
F.ag(a)
return m
end
function F.cN(a,m)
local V={}
while m<=#ARGV do
local u,aN,s,c=ARGV[m],ARGV[m+1],tonumber(ARGV[m+2]),tonumber(ARGV[m+3])
local dJ=a and a.row.token==aN
local fl=F.bA[u]
if u=='b' and dJ and c>=281474976710656 and ARGV[m+4]~='d' then
m,fl=F.dv(a,m,V),0
elseif u=='a' or u=='v' then
local I=tonumber(ARGV[m+4])
local p=I - c+1
if dJ then
F.dw(a,s,c,I,V,u=='v' and m+5 - c)
else
V[#V+1]=string.rep('0',p)
end
if u=='v' then
m=m+p
end
else
local fk=ARGV[m+4]
local aA=dJ
and(
fk=='d' and F.ek(a,u,s,c,tonumber(ARGV[m+5]))
or fk~='d' and F.bl(a,u,s,c,m+5)
)
bI=bI or(aA and u~='e')
V[#V+1]=aA and '1' or '0'
end
m=m+fl
end
return table.concat(V)
end
function F.cT(a)
local d=a.row
if d.cursor - d.trimmed<=1024 and d.passed - d.cleared<=1048576 then
return
end
local ah,X=128,0
while ah>0 and X<1048576 and d.leased>d.out do
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if not A then
F.d('a lease')
end
local q=F.Z(A)
local cP=d.cursor - q.first
local cw=d.leased - d.out
local al=cP - cw
if
not(cP>1024 and al>cw)
and not(d.passed - q.bytes>1048576 and al>cw/8)
then
return
end
local c=q.first
F.aH(a,q)
while c<=q.last and ah>0 and X<1048576 do
local b=F.x(c)
F.X(a,b)
F.t(a,c,{lease=q.number,at=q.ends,attempt=q.attempt})
g('ZADD',F.a(a,'ends'),q.ends,F.b(c))
d.leased=d.leased+1
d.out=d.out+1
X=X+#b.record
ah=ah - 1
c=c+1
end
if c<=q.last then
F.H(a,F.W(q,c,q.last))
end
end
end
`

const show = `function F.cO(i,H)
local bK=F.O(i,H)
if not bK then
return nil
end
local L,r=F.ap(i)
return{
L and 'n' .. L or '',
r and 'n' .. r or '',
H.reason or '',
H.since,
bK=='held' and H.ends and math.ceil(H.ends - v)or -1,
H.probe and 1 or 0,
bK=='probing' and 1 or 0,
}
end
function F.el()
local dW={}
if e.holds then
local Y=g('ZRANGE',n .. 'places',0,100 - 1)
F.M(Y)
for _,i in ipairs(Y)do
dW[#dW+1]=F.cO(i,F.o(i))
end
end
return dW
end
`

const store = `function F.cz(I,S)
local t=F.b(I)
if g('ZADD',n .. 'expiry','LT',S,t)==1 then
g('ZADD',n .. 'reaps',I,t)
e.reaps=e.reaps+1
ac=true
end
F.N(S)
end
function F.bI(p,ao,N,m,aR)
local bm=e.tail
local I=bm+p - 1
local aJ=cmsgpack.pack({bm,m,e.bytes,aR})
local w=string.format('%.0f-0',I)
if N then
g('XADD',n .. 'log',w,'h',aJ,'b',ao,'c',cmsgpack.pack(N))
if N.expires then
local A
for _,S in pairs(N.expires)do
A=A and math.min(A,S)or S
end
F.cz(I,A)
end
else
g('XADD',n .. 'log',w,'h',aJ,'b',ao)
end
e.tail=bm+p
e.bytes=e.bytes+#ao - 4*p
ac=true
end
F.cX={'id','key','expires','max','named','at','keep','since'}
function F.dz(x,A,I)
local N
for _,cW in ipairs(F.cX)do
for f=A,I do
local ag=x[f][cW]
if ag~=nil then
N=N or{}
N[cW]=N[cW] or{}
N[cW][f - A+1]=ag
end
end
end
return N
end
function F.bH(x,m,aR)
local o=1
while o<=#x do
local P,aZ,X,D={},{},0,o
while D<=#x and D - o<256 do
local aG=x[D].record
if D>o and X+#aG>65536 then
break
end
X=X+#aG
P[#P+1]=struct.pack('<I4',X)
aZ[#aZ+1]=aG
D=D+1
end
F.bI(D - o,table.concat(P).. table.concat(aZ),F.dz(x,o,D - 1),m,aR)
o=D
end
end
function F.r()
return e.timer and e.timer<=v
end
function F.aV(a,m,s)
local bl=a.row.since
return bl and m<=bl.at and s<bl.number
end
function F.ef(bm,Q,bw)
for _,a in pairs(F.c())do
local d=a.row
local bl=d.since
if bl then
local bD,K=0,0
while 2*K<#Q and F.aV(a,tonumber(Q[2*K+2]),tonumber(Q[2*K+1]))do
K=K+1
bD=bD+(bw[K] and 0 or 1)
end
if d.cursor==bm then
d.cursor=bm+bD
end
if 2*K<#Q or not e.timer or e.timer>bl.at then
d.since=nil
e.late=e.late - 1
end
a.changed=true
end
end
end
function F.ar(T)
if not F.r()then
return 0
end
local Q=g('ZRANGEBYSCORE',n .. 'timers','-inf',v,'WITHSCORES','LIMIT',0,T)
local x,z,E,X={},{},{},0
local bx,bw={},{}
while 2*#x<#Q and X<8388608 do
local bM=#x>0 and math.max(1,X/#x)or 8388608/16
local D=math.min(#Q/2,#x+math.ceil((8388608 - X)/bM))
local aI={}
for f=#x+1,D do
aI[#aI+1]=Q[2*f - 1]
end
local G=g('HMGET',n .. 'delayed',unpack(aI))
for f=1,#G do
local b=cmsgpack.unpack(G[f])
X=X+#b.record
E[#E+1]=aI[f]
z[#z+1]=b.id
x[#x+1]=b
bw[#x]=b.lane~=nil
if b.expires then
bx[#bx+1]=aI[f]
end
end
end
local bm=e.tail
if #x>0 then
local G=g('HMGET',n .. 'ids',unpack(z))
local J,di,df,Y={},{},{},{}
for f=1,#z do
local c
if bw[f] then
c=281474976710656+e.number
e.number=e.number+1
x[f].seq=c
df[#df+1]=x[f]
Y[#Y+1]=f
else
c=bm+#di
di[#di+1]=x[f]
end
J[2*f - 1]=z[f]
J[2*f]=string.format('s%.0f',c)..(G[f] and string.match(G[f],'%+.*$')or '')
end
g('HSET',n .. 'ids',unpack(J))
g('ZREM',n .. 'timers',unpack(E))
g('HDEL',n .. 'delayed',unpack(E))
if #bx>0 then
g('ZREM',n .. 'lapse',unpack(bx))
end
F.bH(di,ap,'')
if #df>0 then
F.bj(df,function(a,f)
return not F.aV(a,tonumber(Q[2*Y[f]]),tonumber(Q[2*Y[f] - 1]))
end)
end
e.delayed=e.delayed - #x
e.later=e.later - X
for f=2*#x+1,#Q do
Q[f]=nil
end
end
e.timer=tonumber(g('ZRANGE',n .. 'timers',0,0,'WITHSCORES')[2])
ac=true
if e.late>0 then
F.ef(bm,Q,bw)
end
return #x
end
`

const turns = `function F.dT(r)
local dl=aS.rules or{}
local y={}
local function dv(limits)
for _,ch in ipairs({'concurrency','rate','weight'})do
if y[ch]==nil then
y[ch]=limits[ch]
end
end
end
dv(dl.names and dl.names[r] or{})
for _,at in ipairs(dl.prefixes or{})do
if string.sub(r,1,#at[1])==at[1] then
dv(at[2])
end
end
dv(dl)
return y
end
local eh={}
local dn=false
function F.dU(h)
if h.limits then
return
end
eh[#eh+1]=h
F.k(a,h.lane)
h.limits=F.dT(h.lane)
local cM=h.limits.rate
if cM then
h.each=cM.perMs/cM.count
h.spare=((cM.burst or cM.count)- 1)*h.each
if h.woken and h.full then
h.full=math.min(h.full,v+h.spare+h.each)
end
end
h.woken=false
h.heldFor,h.probes=F.ck(a,h.lane)
h.isOut=#h.probes>0 and F.cG(a,h.probes)~=nil
end
function F.cn(h)
return h.each and h.full and h.full - h.spare>v
end
function F.cq(h)
return h.isOut or h.limits.concurrency and h.live>=h.limits.concurrency
end
function F.eh()
for _,h in ipairs(eh)do
if F.cn(h)then
h.rest,h.byLive=math.min(h.full - h.spare,v+60000),false
elseif F.cq(h)then
h.rest,h.byLive=v+60000,true
else
h.rest,h.byLive=nil,false
end
end
end
function F.cK(r)
return '[' .. r .. F.G,'(' .. r .. F.G .. '\\255'
end
function F.dV(h,bT)
local bi=h.line
if not bi or h.place==#bi then
if bi then
F.ag(a)
end
local o,D=F.cK(h.lane)
bi=g('ZRANGEBYLEX',F.a(a,'line'),o,D,'LIMIT',0,math.max(1,math.min(bT,256)))
if #bi==0 then
F.d('a lane')
end
h.line,h.place=bi,0
end
h.place=h.place+1
return tonumber(string.sub(bi[h.place],-16))
end
function F.eu(h)
local o,D=F.cK(h.lane)
local t=g('ZRANGEBYLEX',F.a(a,'again'),o,D,'LIMIT',0,1)[1]
if not t then
F.d('a lane')
end
local c=tonumber(string.sub(t,-16))
local b,j=F.ai(a,c)
if not j.lease then
F.aM(a,c,j)
return cb(b,j.attempt,true,F.m(b),j.error)
end
F.aK(a,c,j)
local bN=d.failed+1
local aW=cb(b,j.attempt,true,F.m(b),dt)
d.failed=bN
return aW
end
function F.eo(b,ab)
if d.stops and F.ct(a,b)then
return true
end
if F.aj(a,ab)and not F.T(a,ab,b.seq)then
F.cP(a,b)
return true
end
return false
end
function F.ev(h,bT)
local c=F.dV(h,bT)
if d.join and c>d.join.from then
h.isLate=true
return false
end
local b=F.q(a,c)
if not b then
F.d('a message')
end
F.cw(a,h,c)
local ab=F.m(b)
if ab and ef(b,0)then
ab=F.T(a,ab,c)and ab or nil
elseif ab and F.eo(b,ab)then
K=K+1
aB=aB+(an>0 and 1 or 0)
return false
elseif ab then
g('HSET',F.a(a,'heads'),ab,F.b(c))
end
return cb(b,0,true,ab)
end
function F.ex(h,bT)
while h.again+h.ahead>0 do
if K>=1024 or aB>=256 then
dn=true
return false
end
local dI=h.again>0 and(h.ahead==0 or h.isLate or h.last~='again')
if h.isLate and not dI then
return false
end
local aW
if dI then
aW=F.eu(h)
else
aW=F.ev(h,bT)
end
if aW then
h.last=dI and 'again' or 'first'
return true
end
end
return false
end
function F.dJ(h,T,bT)
local bv=0
while bv<T and aH()>0 do
if h.heldFor or F.cn(h)or F.cq(h)or not F.ex(h,bT)then
return bv,not dn
end
bv=bv+1
if h.each then
h.full=math.max(h.full or 0,h.waited and v - h.each or v)+h.each
end
h.waited=false
if #h.probes>0 then
F.cA(a,h.probes,cE,bQ)
h.isOut=true
end
end
return bv,h.again+h.ahead==0
end
function F.ej(m)
if bA then
local o,D='[' .. aS.only,'(' .. aS.only .. '\\255'
if m and string.sub(m,1,#aS.only)==aS.only then
return{{'(' .. m,D},{o,'[' .. m}}
end
return{{o,D}}
end
if not m then
return{'',{'-','+'}}
elseif m=='' then
return{{'-','+'},''}
end
return{{'(' .. m,'+'},'',{'-','[' .. m}}
end
function F.dP(r)
return g('ZSCORE',F.a(a,'ready'),r)
end
function F.cy(m)
local bB,i={},0
local dY,s
if aS.names then
local fJ=#aS.names>0 and g('ZMSCORE',F.a(a,'ready'),unpack(aS.names))or{}
for f=1,#aS.names do
if fJ[f] then
bB[#bB+1]=aS.names[f]
end
end
dY,s={},1
else
dY,s=F.ej(m),1
end
return function()
while i==#bB do
local aM=dY[s]
if not aM then
return nil
end
if aM=='' then
s=s+1
return ''
end
bB,i=g('ZRANGEBYLEX',F.a(a,'ready'),aM[1],aM[2],'LIMIT',0,64),0
if #bB==0 then
s=s+1
else
aM[1]='(' .. bB[#bB]
F.L(a,bB)
if e.holds then
F.bd(a,bB)
end
end
end
i=i+1
return bB[i]
end
end
function F.ew()
local bb=bA and{at=aS.at,left=aS.left or 0}or F.h(a)
local eD=d.lanes and d.lanes.flows>0
local aY=eD and math.max(1,g('ZCARD',F.a(a,'ready')))or 1
local bT=math.ceil(aH()/aY)
local function eg(r,T)
local bv,al
if r=='' then
local bd,fq=an,am
dy,am=an+1,false
eb()
T,bv,al=1,an - bd,an==bd
dn=al and(am or aH()>0 and d.cursor<e.tail)
dy,am=math.huge,am or fq
else
local h=F.aR(a,r)
F.dU(h)
T=T or h.limits.weight or 1
bv,al=F.dJ(h,T,math.max(bT,T))
end
if bv>0 then
bb.at,bb.left=r,al and 0 or T - bv
else
K=K+1
end
return not al
end
local function dc()
local eC=dn or K>=1024 or an>=500
am=am or eC
return aH()>0 and not eC
end
if eD or not bA then
if bb.at and bb.left>0 and dc()and F.dP(bb.at)then
eg(bb.at,bb.left)
end
local bS={}
local fB=F.cy(bb.at)
while dc()do
local r=fB()
if not r then
break
end
if eg(r)then
bS[#bS+1]=r
end
end
while #bS>0 and dc()do
local cJ={}
if #bS==1 and bS[1]=='' then
if eb()then
bb.at,bb.left='',0
end
else
for f=1,#bS do
if dc()and eg(bS[f])then
cJ[#cJ+1]=bS[f]
end
end
end
bS=cJ
end
F.eh()
end
if bA then
W[5]=bb.at and string.format('%.0f.%s',bb.left,bb.at)or 'none'
end
end
function F.dO()
if not(d.lanes and d.lanes.flows>0)then
return false
end
if not bA then
return g('ZCARD',F.a(a,'ready'))>0
end
return F.cy()()~=nil
end
`

/** One script: its text, and the digest by which the server knows it. */
export interface Script {
  readonly sha: string
  readonly text: string
}

export const SCRIPTS: Readonly<Record<'append' | 'cancel' | 'claim' | 'deleteGroup' | 'delete' | 'hold' | 'lanes' | 'list' | 'purge' | 'release' | 'results' | 'resume' | 'retryNow' | 'settle' | 'stats' | 'tidy', Script>> = {
  append: {
    sha: '685ecb4cbb46039591992207ae27b91fb4eeef32',
    text: `#!lua

` + rows + log + store + `local aR,am,ct,dd=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
local m=7
if ARGV[6]=='0' then
F.j()
if am=='' and not e.scan and not e.untidy and not ct and not dd and not(e.laned and F.r())then
F.ar(500)
if not F.r()then
local dC=e.tail
for f=m,#ARGV,2 do
local p=tonumber(ARGV[f])
e.sent=e.sent+p
F.bI(p,ARGV[f+1],nil,ap,aR)
end
F.l(true)
return{'',dC,e.number}
end
end
end
` + leases + places + moves + ids + find + drop + group + counts + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
if ARGV[6]~='0' then
local _
_,m=F.cB(6)
end
local function fb(M,aG,w)
return{
id=w,
key=M.key,
lane=M.lane,
expires=M.expiresInMs and v+M.expiresInMs,
max=M.maxAttempts,
named=w and(M.dedupeMs or 0),
keep=M.keepMs,
record=aG,
}
end
local function eq(M,ai)
local az=M.delayMs or 0
if M.maxDelayMs and az>0 then
az=math.max(0,math.min(az,M.maxDelayMs,(ai.since or ai.at)+M.maxDelayMs - ap))
end
return az
end
local function fD(b,s)
local t,ai=F.b(s),F.A(s)
e.later=e.later+#b.record - #ai.record
ac=true
g('HSET',n .. 'delayed',t,cmsgpack.pack(b))
g('ZREM',n .. 'lapse',t)
if b.expires then
g('ZADD',n .. 'lapse',b.expires,t)
end
g('HSET',n .. 'ids',b.id,F.K('t',s,b.named,0))
end
local function fC(b,c)
local Y={}
for _,a in pairs(F.c())do
Y[a]=F.s(a,c)
end
b.seq=c
local l=F.u(c)
if l then
F.dy(b)
if b.expires then
F.cz(l.last,b.expires)
end
end
local function eP(k)
g('ZREMRANGEBYSCORE',k,c,c)
g('ZADD',k,c,cmsgpack.pack(b))
end
for a,i in pairs(Y)do
if i.kind=='waiting' or i.kind=='blocked' or i.kind=='parked' or i.kind=='lined' then
local ai=F.q(a,c)
a.row.outside=a.row.outside+#b.record - #ai.record
a.changed=true
eP(F.a(a,'held'))
g('ZREM',F.a(a,'reap'),F.b(c))
F.y(a,b)
if i.kind=='waiting' then
F.t(a,c,{at=i.side.at,attempt=0,lane=i.side.lane})
elseif i.kind=='parked' then
F.cS(a,b)
end
elseif i.kind=='unjoined' then
for _,k in ipairs(a.row.join.keys)do
if g('ZCOUNT',n .. k,c,c)>0 then
eP(n .. k)
end
end
end
end
local be=e.early and F.I(c)
if be then
F.bU(be)
F.bj({b})
end
g('HSET',n .. 'ids',b.id,F.K('s',c,b.named,0))
end
local function eA(b,M)
return b.key~=M.key or b.lane~=M.lane
end
local eU,dT={},{}
local function fx(J)
for o=1,#J,1000 do
local D=math.min(#J,o+999)
local G=g('HMGET',n .. 'ids',unpack(J,o,D))
local ca=g('ZMSCORE',n .. 'past',unpack(J,o,D))
for f=o,D do
eU[J[f]]=G[f - o+1]
dT[J[f]]=ca[f - o+1] and tonumber(ca[f - o+1])
end
end
end
local function fz(M)
local w=M.id
local d=eU[w]
local y,ar,aO=nil,0,0
if d then
y,ar,aO=F.E(d)
else
y=F.cg(w)
end
local ca=not M.replace and dT[w] and dT[w]>v
if y and y.number then
local t=F.b(y.number)
local Q=tonumber(g('ZSCORE',n .. 'timers',t))
if Q then
if not M.replace then
return 'd'
end
local ai=F.A(y.number)
local az=eq(M,ai)
local dQ=Q>v or az>0 or eA(ai,M)
return dQ and 'S' or 'r',{delay=az,since=ai.since or ai.at}
end
elseif y then
local c=y.seq
local Y,aV,cu={},true,false
for _,a in pairs(F.c())do
local i=F.s(a,c)
Y[a]=i
cu=cu or i~=nil
aV=aV and i~=nil and i.kind~='leased' and i.kind~='held'
end
if e.groups==0 then
cu=e.early and F.I(c)or F.aU(c)
end
if cu then
if not M.replace then
return 'd'
end
if not aV then
return 's',{earlier=math.max(ar,aO)}
end
local cK=e.early and F.I(c)or F.x(c)
for a,i in pairs(Y)do
if i.kind~='ahead' then
cK=F.aY(a,i,c)
end
end
local az=eq(M,cK)
local dQ=az>0 or eA(cK,M)
return dQ and 'S' or 'r',{delay=az,since=cK.since or cK.at}
end
end
if d then
local S=(e.cut or v)+math.max(ar,aO)
if S>v then
return not M.replace and 'd' or 's',{time=S}
end
end
return ca and 'd' or 's'
end
local cQ=am~='' and cjson.decode(am)
local aZ,bY,aT,cH={},{},{},{}
for f=m,#ARGV,2 do
local l={count=tonumber(ARGV[f]),blob=ARGV[f+1]}
for i=1,l.count do
aZ[#aZ+1]=F.be(l,i)
end
end
local ae={}
for _,M in ipairs(cQ or{})do
if M~=0 and M.id then
ae[#ae+1]=M.id
end
end
fx(ae)
local x,aa=0,0
for f=1,#aZ do
local M=cQ and cQ[f] or 0
local bs='s'
if M~=0 and M.id then
if cH[M.id] then
bs='d'
else
bs,aT[f]=fz(M)
end
cH[M.id]=true
end
if bs=='s' then
x=x+1
aa=aa+#aZ[f]
end
bY[f]=bs
end
if(ct or dd)and x>0 then
local cw,X=F.dB(ct and ct - x),F.bM()
if ct and cw+x>ct then
return{'q','maxMessages',cw,x}
end
if dd and X+aa>dd then
return{'q','maxBytes',X,aa}
end
end
F.bq()
F.ar(math.min(4*500,500+#aZ))
local cY=F.r()
local dC,fp=e.tail,e.number
local ce,J,z,G,cR,bx,bw={},{},{},{},{},{},{}
for f=1,#aZ do
local M=cQ and cQ[f] or 0
local bs,bV=bY[f],aT[f] or{}
if M==0 and not cY then
ce[#ce+1]={record=aZ[f]}
elseif bs=='s' or bs=='S' then
if M==0 then
M={}
end
if bV.time then
F.bg(M.id,bV.time)
end
if bs=='S' then
F.bT(M.id,F.B(M.id))
end
if M.id then
z[#z+1]=M.id
end
local b=fb(M,aZ[f],M.id)
e.laned=e.laned or b.lane~=nil or nil
local az=bV.delay or M.delayMs or 0
b.since=bV.since
if az>0 or cY then
local s=e.number
local t=F.b(s)
local Q=v+az
if az==0 then
Q=math.max(v,e.behind or 0)
e.behind=Q
end
b.at=ap
if not b.id then
b.id,b.named=F.aX(aR,s,1),0
else
J[#J+1]=b.id
J[#J+1]=F.K('t',s,b.named,bV.earlier or 0)
end
G[#G+1]=t
G[#G+1]=cmsgpack.pack(b)
cR[#cR+1]=Q
cR[#cR+1]=t
if not e.timer or Q<e.timer then
e.timer=Q
end
if b.expires then
bx[#bx+1]=b.expires
bx[#bx+1]=t
end
e.number=s+1
e.delayed=e.delayed+1
e.later=e.later+#b.record
e.sent=e.sent+1
bY[f]=bs=='s' and 'l' or 'L'
elseif M.lane then
local s=e.number
b.seq,b.at=281474976710656+s,ap
if not b.id then
b.id=F.aX(aR,s,1)
else
J[#J+1]=b.id
J[#J+1]=F.K('s',b.seq,b.named,bV.earlier or 0)
end
bw[#bw+1]=b
e.number=s+1
e.sent=e.sent+1
bY[f]=bs=='s' and 'l' or 'L'
else
ce[#ce+1]=b
if M.id then
J[#J+1]=M.id
J[#J+1]=F.K('s',e.tail+#ce - 1,b.named,bV.earlier or 0)
end
end
elseif bs=='r' then
local b=fb(M,aZ[f],M.id)
local y=F.B(M.id)
b.at,b.since=ap,bV.since
if y.number then
fD(b,y.number)
else
fC(b,y.seq)
end
end
end
local function dk(command,u,arguments)
for o=1,#arguments,1000 do
g(command,n .. u,unpack(arguments,o,math.min(#arguments,o+999)))
end
end
dk('HSET','ids',J)
dk('HSET','delayed',G)
dk('ZADD','timers',cR)
dk('ZADD','lapse',bx)
if e.kept or e.keepers then
F.dI(z)
end
e.sent=e.sent+#ce
ac=true
F.bH(ce,ap,aR)
if #bw>0 then
F.bj(bw)
end
F.l(true)
return{table.concat(bY),dC,fp}
`,
  },
  cancel: {
    sha: 'c5ff528be0c776f4d8c4e665985623d70967eb33',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + drop + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
F.j()
local V={}
for f=2,#ARGV do
local y=F.B(ARGV[f])
V[#V+1]=y and F.bT(ARGV[f],y)and '1' or '0'
end
F.ee()
F.l(true)
return table.concat(V)
`,
  },
  claim: {
    sha: '3876cd1e4ab1d0d7c980f7c058b0dc9dccc47f39',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + expire + group + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local dt='sthe lease ended before the delivery was settled'
local bh,fw,fy=math.min(tonumber(ARGV[2]),10000),tonumber(ARGV[3]),tonumber(ARGV[4])
local a,bH=F.cB(8)
local d=a.row
d.deadFor=tonumber(ARGV[5])
d.parksNext=ARGV[6]=='1' or nil
local aS=ARGV[7]~='' and cjson.decode(ARGV[7])or{}
local bA=aS.only~=nil or aS.names~=nil
local aA=F.cN(a,bH)
if e.scan or e.untidy then
F.bq()
end
local K,am=F.eq(#aA),false
if e.reap and e.reap<=v then
am=true
end
if d.join then
local fs=d.join.lanes~=nil
local dq=F.cR(a)
if fs and d.join and not d.join.lanes and dq<500/2 then
dq=dq+F.cR(a)
end
K=K+dq
end
if e.over and e.over<=v and F.es()then
am=true
end
if(e.laned or bA)and F.ar(500)>0 and F.r()then
am=true
end
local Z=d.lanes
if Z and Z.flows>0 and F.eB(a)then
am=true
end
if co then
F.aP()
end
local P=v+fw
local W={d.token,bQ,-1,aA,''}
local an,aa=0,0
a.changed=true
local cp,aU=nil,{}
if e.holds then
cp,aU=F.ck(a)
end
local cL=#aU>0 and F.cG(a,aU)
if cp or cL then
bh=0
elseif #aU>0 then
bh=math.min(bh,1)
end
local dy=math.huge
local cE
local function aH()
if aa>=8388608 or d.join and d.join.bound<281474976710656 then
return 0
end
return math.min(bh,dy)- an
end
local aM
local bd=0
local function dD()
if aM then
F.H(a,aM)
aM=nil
end
end
local function q(A,I,U,ae,k)
if aM and not k and aM.last==A - 1 and aM.attempt==U then
aM.last=I
aM.named=aM.named or ae
return
end
dD()
aM={first=A,last=I,ends=P,number=bQ,attempt=U,named=ae,key=k,bytes=bd}
if k then
dD()
end
end
local function ef(b,U)
if b.expires and b.expires<=v then
return 'expired'
end
if U>=(b.max or fy)then
return 'exhausted'
end
end
local function cb(b,U,aP,k,bG)
local c=b.seq
local bE=ef(b,U)
if bE then
K=K+2
if aP then
F.bV(a,b)
end
if d.parksNext and b.key then
F.aq(a,b)
end
F.v(a,k)
F.Q(a,b,U,bE,bG,d.deadFor)
return false
end
cE=c
if aP then
local j={lease=bQ,at=P,attempt=U+1,lane=b.lane}
if b.lane then
j.expires=b.expires
j.size=not b.key and not b.named and not b.keep and #b.record or nil
F.cv(a,c,j,P,true)
else
g('ZADD',F.a(a,'ends'),P,F.b(c))
F.t(a,c,j)
end
d.leased=d.leased+1
d.out=d.out+1
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
else
q(c,c,U+1,b.named~=nil or b.keep~=nil,k)
end
an=an+1
aa=aa+#b.record
W[#W+1]={
c,
aP and 'h' or 'l',
b.at,
b.id,
b.key or '',
b.max or 0,
U+1,
bG or '',
b.record,
b.keep or b.lane and 0,
b.lane,
}
return true
end
local function fP()
if d.leased==0 then
return
end
while aH()>0 do
local t=g('ZRANGEBYSCORE',F.a(a,'ends'),'-inf',v,'LIMIT',0,1)[1]
if not t then
break
end
if K>=1024 then
am=true
break
end
if string.match(t,'^%d+$')then
local c=tonumber(t)
local b,j=F.ai(a,c)
local bN=d.failed+1
g('ZREM',F.a(a,'ends'),t)
d.leased=d.leased - 1
d.out=d.out - 1
cb(b,j.attempt,true,b.key,dt)
d.failed=bN
else
local ai=F.Z(t)
F.aH(a,ai)
bd=ai.bytes
local c=ai.first
while c<=ai.last and aH()>0 and K<1024 do
local bN=d.failed+1
cb(F.x(c),ai.attempt,false,ai.key,dt)
d.failed=bN
c=c+1
end
if c<=ai.last then
F.H(a,F.W(ai,c,ai.last))
end
end
end
end
local function fc()
while d.waiting>0 and aH()>0 do
local Q=g('ZRANGEBYSCORE',F.a(a,'due'),'-inf',v,'LIMIT',0,math.min(aH(),256))
if #Q==0 then
break
end
if K>=1024 then
am=true
break
end
for _,t in ipairs(Q)do
if aH()==0 then
return
end
local c=tonumber(t)
local b,j=F.ai(a,c)
g('ZREM',F.a(a,'due'),t)
d.waiting=d.waiting - 1
cb(b,j.attempt,true,b.key,j.error)
end
end
end
local aB=0
local function fO(l,o,ay,au)
local f=o
while f<=l.count and aH()>0 and K<1024 do
local c=l.first+f - 1
if au and au[c] then
K=K+0.25
else
local b=ay and ay[c] or F.U(l,f)
local k=b.key
if not k or ef(b,0)then
cb(b,0,false)
elseif F.en(a,b)then
K=K+1
if an>0 then
aB=aB+1
end
else
g('HSET',F.a(a,'heads'),k,F.b(c))
cb(b,0,false,k)
end
end
f=f+1
end
return f
end
local function fQ(l,o)
local D=math.min(l.count,o+aH()- 1)
local X=F.bm(l,o,D)
local N=l.columns
local J,ar,ae,cC='','',false,nil
if N then
if N.id then
J={}
for f=o,D do
J[#J+1]=N.id[f] or ''
end
for f in pairs(N.named or{})do
ae=ae or(f>=o and f<=D)
end
end
if N.max then
ar={}
for f=o,D do
ar[#ar+1]=N.max[f] or 0
end
end
if N.keep then
cC,ae={},true
for f=o,D do
cC[#cC+1]=N.keep[f] or 0
end
end
end
local ao=l.blob
local P=4*l.count
local dw=F.Y(ao,o)
if o>1 or D<l.count then
ao=string.sub(ao,4*o - 3,4*D).. string.sub(ao,P+dw+1,P+dw+X)
end
local A=l.first+o - 1
cE=A
W[#W+1]={A,D - o+1,l.at,l.base,J,ar,dw,ao,cC}
q(A,l.first+D - 1,1,ae)
an=an+D - o+1
aa=aa+X
return D+1
end
local function fd()
local bL,dX=1,0
while aH()>0 and d.cursor<e.tail do
if K>=1024 or aB>=256 or dX>=64 then
am=true
return
end
local em=aT and d.cursor>=aT.first and d.cursor<=aT.last
local af=em and{aT}or F.bi(d.cursor,bL)
if #af==0 then
F.d('the log')
end
for _,at in ipairs(af)do
if aH()==0 or K>=1024 then
break
end
local l=em and aT or F.as(at)
aT=l
local o=math.max(d.cursor,l.first)
local i=o - l.first+1
local ay=F.ae(o,l.last)
local au,p=F.ah(o,l.last)
local N=l.columns
bd=l.bytes
if p==l.last - o+1 then
dX=dX+1
i=l.count+1
elseif ay or au or(N and(N.key or N.expires or N.at))then
i=fO(l,i,ay,au)
else
i=fQ(l,i)
end
d.cursor=l.first+i - 1
d.passed=l.bytes+(i>l.count and F.bm(l,1,l.count)or 0)
bL=math.min(16,math.max(1,math.ceil(aH()/l.count)))
end
end
end
local function eb()
local bd=an
fP()
fc()
fd()
local dP=0
while dP<1024 and aH()>0 and d.cursor==e.tail and F.r()do
dP=dP+F.ar(math.min(500,math.max(64,aH())))
fd()
end
fc()
return an>bd
end
local fe=bA or Z~=nil and Z.flows>0
if fe then
` + turns + `F.ew()
else
if eb()and Z then
Z.at,Z.left='',0
end
end
dD()
if #aU>0 and cE then
F.cA(a,aU,cE,bQ)
end
d.served=d.served or an>0
F.cT(a)
if bW then
F.cu()
end
F.ch()
if co then
F.aP()
end
local function de(next,S)
return next and S and math.min(next,S)or next or S
end
local ft=aH()<=0 and not cp and not cL
if
am
or d.join
or ft and(not bA and d.cursor<e.tail or fe and F.dO())
then
W[3]=0
else
local next
if cp or cL then
next=cp and math.max(cp,cL or 0)or cL
else
next=e.timer
if d.waiting>0 and not bA then
next=de(next,tonumber(g('ZRANGE',F.a(a,'due'),0,0,'WITHSCORES')[2]))
end
if d.leased>0 and not bA then
next=de(next,tonumber(g('ZRANGE',F.a(a,'ends'),0,0,'WITHSCORES')[2]))
end
if d.lanes and d.lanes.flows>0 then
for _,u in ipairs({'rests','lends','wake'})do
next=de(next,tonumber(g('ZRANGE',F.a(a,u),0,0,'WITHSCORES')[2]))
end
end
next=de(next,e.over)
end
if next and next<math.huge then
W[3]=math.max(0,math.ceil(next - v))
end
end
if #aA>0 then
F.l(bI)
else
F.l()
end
return W
`,
  },
  deleteGroup: {
    sha: '6e6affd7117a8763ff10b39471c7c90cfe8ffc19',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
if e.holds then
F.dD(ARGV[2])
end
if not a then
if ac then
F.l(true)
end
return 0
end
F.c()
av[a.name]=nil
e.groups=e.groups - 1
ac=true
g('HDEL',ba,'group:' .. a.name)
F.bu(a)
if e.groups==0 then
F.cc()
else
F.aa(F.al())
F.bQ()
end
if e.scan then
F.aC(500)
end
F.l(true)
return(e.scan or e.untidy)and 1 or 0
`,
  },
  delete: {
    sha: '37ee3ee136ce763fde1bf470a2508239a1c81db0',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + group + empty + `if not F.cM()then
return F.ce(2)
end
e.joining=0
for _,a in pairs(av)do
a.row.join=nil
F.bu(a)
end
for k in pairs(e.ghosts or{})do
g('UNLINK',n .. k)
end
F.bt(F.bz)
F.bt(F.dg)
redis.pcall('PUBLISH',n .. 'changed','wake')
return 0
`,
  },
  hold: {
    sha: 'cf0acab782d46f396d1b3526f51957cb9ade5c28',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local eK=tonumber(ARGV[4])
F.ao(i,{since=ap,ends=eK and v+eK,reason=ARGV[5]~='' and ARGV[5] or nil,probe=ARGV[6]=='1'})
F.at(i)
F.l(false)
`,
  },
  lanes: {
    sha: '5835d4abee1e6aafa35c1ee6005580199bbe55a3',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + lanes + holds + show + moves + ids + group + `local a=F.j(ARGV[2])or F.aT(ARGV[2],'','earliest')
local aj,bh=ARGV[3],math.min(tonumber(ARGV[4]),500)
local o,D='[' .. aj,'(' .. aj .. '\\255'
local cV=string.match(ARGV[5],'^n(.*)$')
local z,ck={},{}
local function cB(a,b)
for f=1,math.min(#a,#b)do
local ak,aD=string.byte(a,f),string.byte(b,f)
if ak~=aD then
return ak<aD
end
end
return #a<#b
end
local function bR(k,aR)
local fA=cV and '(' .. aR .. cV or '[' .. aR .. aj
local E=g('ZRANGEBYLEX',k,fA,'(' .. aR .. aj .. '\\255','LIMIT',0,bh+1)
for _,t in ipairs(E)do
local L=string.sub(t,#aR+1)
if not ck[L] then
ck[L]=true
z[#z+1]=L
end
end
end
local dz={}
local function p(r)
dz[r]=(dz[r] or 0)+1
local fu=string.sub(r,1,#aj)==aj and(not cV or cB(cV,r))
if fu and not ck[r] then
ck[r]=true
z[#z+1]=r
end
end
if e.laned and F.r()then
local Q=g('ZRANGEBYSCORE',n .. 'timers','-inf',v,'WITHSCORES','LIMIT',0,2000)
for f=1,#Q,2 do
local b=cmsgpack.unpack(g('HGET',n .. 'delayed',Q[f]))
if b.lane and not F.aV(a,tonumber(Q[f+1]),tonumber(Q[f]))then
p(b.lane)
end
end
end
local B=a.row.join
if B and B.lanes then
F.an(B)
end
local K=0
while B and B.bound>281474976710656 and K<2000 do
local x,as=F.au(a,2000)
for _,b in ipairs(x)do
p(b.lane)
end
K=K+#x+1
if as>=B.bound then
break
end
B.from=as - 1
end
if a.row.lanes then
bR(F.a(a,'lanes'),'')
end
if e.holds then
bR(n .. 'places',F.f(nil,''))
bR(n .. 'places',F.f(ARGV[2],''))
end
table.sort(z,cB)
local bf={}
if a.row.lanes then
local E=g('ZRANGEBYSCORE',F.a(a,'lends'),'-inf',v,'LIMIT',0,1000)
local aL=#E>0 and g('HMGET',F.a(a,'side'),unpack(E))or{}
for f=1,#E do
local r=aL[f] and cmsgpack.unpack(aL[f]).lane
if r then
bf[r]=(bf[r] or 0)+1
end
end
end
local function fG(h,Y)
if h.ahead+h.again==0 then
return -1
end
local P=not h.byLive and h.rest or 0
for _,i in ipairs(Y)do
local H=F.o(i)
if F.O(i,H,a)=='held' then
P=math.max(P,H.ends or math.huge)
end
end
return P>v and P<math.huge and math.ceil(P - v)or -1
end
local W={#z>bh and bh>0 and 'n' .. z[bh] or ''}
for f=1,math.min(bh,#z)do
local r=z[f]
local h=F.aR(a,r)
local X=h.size+(dz[r] or 0)
local cX,Y={},{F.f(nil,r),F.f(ARGV[2],r)}
local cj=h.live -(bf[r] or 0)
for _,i in ipairs(Y)do
cX[#cX+1]=F.cO(i,F.o(i))
end
if X>0 or #cX>0 then
W[#W+1]={r,X - cj,cj,fG(h,Y),cX}
end
end
return W
`,
  },
  list: {
    sha: '9d5d39c715265aec43724b3ee11ed5b4141a085d',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + group + find + `
loadRest = function()
` + outcomes + lanes + `end
local L,bh,fN,fr=ARGV[2],tonumber(ARGV[3]),ARGV[4],ARGV[5]=='0'
local cv,i,ez=tonumber(ARGV[6]),ARGV[7],tonumber(ARGV[9])
local cI=string.match(ARGV[8],'^l(.*)$')
local a=F.j(L)or F.aT(L,'','earliest')
local d=a.row
local W={d.token,'',''}
local aa,ax,K=0,0,0
local function dr(dL)
return string.find(fN,'[' .. dL .. ']')~=nil
end
local function cs(b)
return b and(not b.expires or b.expires>v)
end
local function cr()
return #W - 3>=bh or aa>=8388608 or ax>=33554432 or K>=2048
end
local function bk(ba,b,U,m,bG,cg)
local ah=m and m - v or 0
if m and ah<=0 then
ba='r'
end
if dr(ba)and(not cI or cI==(b.lane or ''))then
local aG=fr and F.dK(b.record)or b.record
aa=aa+#aG+#(bG or '')
local at={
ba,
b.at,
b.id,
b.key or '',
b.lane or '',
b.max or 0,
U,
ah>0 and math.ceil(ah)or -1,
bG or '',
aG,
}
for _,ag in ipairs(cg or{})do
at[#at+1]=ag
aa=aa+(type(ag)=='string' and #ag or 0)
end
W[#W+1]=at
end
end
local function dV(b,U,P,s)
bk('l',b,U,P,nil,d.running and P>v and F.cH(a,b.seq,s))
end
local function dm(b,j)
if j and j.lease then
dV(b,j.attempt,j.at,j.lease)
elseif cs(b)then
if j and j.parked then
local bC=j.parked
bk('p',b,j.attempt,nil,nil,{bC.reason,bC.data or '',bC.at})
elseif j and not j.blocked then
bk('d',b,j.attempt,j.at,j.error)
elseif not j and b.lane then
bk('r',b,0)
else
bk('b',b,0)
end
end
end
local function eX(O)
if not(O.ends and O.ends<=v)then
local cg={O.reason,O.at,O.fence,O.message.seq}
bk('x',O.message,O.attempt,nil,O.error,cg)
end
end
local function bL()
local bM=K>0 and math.max(1,ax/K)or 33554432/64
return math.min(256,math.max(1,math.floor((33554432 - ax)/bM)))
end
local function cT(k,bM,bp)
local o=i=='' and '-inf' or '(' .. i
local I=tonumber(i)or 0
while true do
local p=bL()
local G=g('ZRANGEBYSCORE',k,o,bp or '+inf','LIMIT',0,p)
for _,t in ipairs(G)do
K=K+1
ax=ax+#t
local c=bM(t)
if not F.C(c)or c<=I then
F.d('a message')
end
I=c
i=string.format('%.0f',c)
if cr()then
return true
end
end
if #G<p then
return false
end
o='(' .. i
end
end
local bj={}
local function eZ(t)
local b=cmsgpack.unpack(t)
local j=F.p(a,b.seq)
if not(j and j.parked)then
dm(b,j)
end
return b.seq
end
local dK=d.join and(d.join.lanes or d.join.bound)
bj[1]={'lr',function()
local o=tonumber(i~='' and i or 0)+1
while d.leased>d.out do
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),o,'+inf','LIMIT',0,1)[1]
if not t then
return false
end
local q=F.Z(t)
if q.last<o then
F.d('a lease')
end
for c=math.max(o,q.first),q.last do
local b=F.x(c)
i=string.format('%.0f',c)
if not b then
F.d('a lease')
end
K=K+1
ax=ax+#b.record
dV(b,q.attempt,q.ends,q.number)
if cr()then
return true
end
end
o=q.last+1
end
end}
bj[2]={'ldbr',function()
if cI and cI~='' and i=='' then
i=string.format('%.0f',281474976710656 - 1)
end
local bp=cI=='' and 281474976710656 or d.join and d.join.lanes and 281474976710656 or dK
return cT(F.a(a,'held'),eZ,bp and string.format('(%.0f',bp))
end}
bj[3]={'r',function()
local B=d.join
while B do
if(tonumber(i)or 0)>=B.bound - 1 then
F.an(B)
end
B.from=math.max(B.from,tonumber(i)or 0)
local x,as=F.au(a,bL())
for _,b in ipairs(x)do
K=K+1
ax=ax+#b.record
i=string.format('%.0f',b.seq)
if cs(b)then
bk('r',b,0)
end
if cr()then
return true
end
end
if as>=B.bound and not B.lanes then
return false
end
i=string.format('%.0f',as - 1)
end
end}
bj[4]={'ldbr',function()
if not dK then
return false
end
i=string.format('%.0f',math.max(dK - 1,tonumber(i)or 0))
return cT(F.a(a,'held'),eZ)
end}
bj[5]={'r',function()
local o=math.max(d.cursor,tonumber(i~='' and i or 0)+1)
while o<e.tail do
local at=F.bi(o,1)[1]
if not at then
return false
end
local l=F.as(at)
local ay,au=F.ae(l.first,l.last),F.ah(l.first,l.last)
K=K+8
ax=ax+#l.blob
for c=math.max(o,l.first),l.last do
i=string.format('%.0f',c)
if au and au[c] then
K=K+0.25
else
K=K+1
local b=ay and ay[c] or F.U(l,c - l.first+1)
if cs(b)then
bk('r',b,0)
end
end
if cr()then
return true
end
end
o=l.last+1
end
return false
end}
local function cB(s,m)
return d.since and m<=d.since.at and s<d.since.number
end
bj[6]={'dr',function()
local m,s=string.match(i,'^(.*)/(.*)$')
local cA=0
if m then
local eQ=g('ZRANK',n .. 'timers',s)
cA=eQ and eQ+1 or g('ZCOUNT',n .. 'timers','-inf',m)
end
while true do
local G=g('ZRANGE',n .. 'timers',cA,cA+256 - 1,'WITHSCORES')
for f=1,#G,2 do
local Q=tonumber(G[f+1])
i=G[f+1] .. '/' .. G[f]
K=K+1
if not cB(tonumber(G[f]),Q)then
local b=F.A(G[f])
if cs(b)then
ax=ax+#b.record
bk('d',b,0,Q)
end
end
if cr()then
return true
end
end
if #G<2*256 then
return false
end
cA=cA+256
end
end}
bj[7]={'x',function()
return cT(F.a(a,'dead'),function(t)
local O=cmsgpack.unpack(t)
eX(O)
return O.message.seq
end)
end}
local function eY(C)
if C.ends<=v or C.status=='dead' and F.w(a,C.seq)then
return
end
local b={id=C.id,key=C.key,lane=C.lane,at=C.at,max=C.max,record=''}
bk('o',b,C.attempt,nil,C.error,F.bR(C))
end
bj[8]={'p',function()
return cT(F.a(a,'parked'),function(t)
local c=tonumber(t)
local b,j=F.ai(a,c)
ax=ax+#b.record
dm(b,j)
return c
end)
end}
bj[9]={'o',function()
return cT(F.a(a,'results'),function(t)
local C=cmsgpack.unpack(t)
eY(C)
return C.seq
end)
end}
local function fM(w)
local y=F.B(w)
if not y then
return
end
if y.number then
local b=F.A(y.number)
local m=tonumber(g('ZSCORE',n .. 'timers',F.b(y.number)))
if m and cs(b)and not cB(y.number,m)then
bk('d',b,0,m)
end
return
end
local bJ=F.s(a,y.seq)
if not bJ then
return
end
local b=F.aY(a,bJ,y.seq)
if not b then
F.d('a message')
end
ax=ax+#b.record
if bJ.kind=='lined' then
dm(b)
elseif bJ.kind=='leased' then
dV(b,bJ.lease.attempt,bJ.lease.ends,bJ.lease.number)
elseif bJ.kind=='ahead' or bJ.kind=='unjoined' then
if cs(b)then
bk('r',b,0)
end
else
dm(b,bJ.side)
end
end
local function fL(w)
local aj=F.i(w)
local t=g('ZREVRANGEBYLEX',F.a(a,'letters'),'[' .. aj .. '\\255','[' .. aj,'LIMIT',0,1)[1]
local c=t and tonumber(string.sub(t,#aj+1))
c=c or F.bk(w)
local O=c and F.w(a,c)
if O and O.message.id==w then
ax=ax+#O.message.record
eX(O)
end
end
local function fK()
local A=i=='' and 0 or tonumber(i)
for cl=A,3*ez - 1 do
local w=ARGV[10+math.floor(cl/3)]
i=string.format('%.0f',cl+1)
if cl % 3==2 then
fM(w)
elseif cl % 3==1 then
local C=dr('o')and d.kept and F.cC(a,w)
if C then
eY(C)
end
elseif dr('x')and d.dead>0 then
fL(w)
end
if cr()then
return true
end
end
return false
end
if ez>=0 then
if fK()then
W[2],W[3]='1',i
end
return W
end
while bj[cv] do
local dL,fR=bj[cv][1],bj[cv][2]
if dr(dL)and fR()then
W[2],W[3]=tostring(cv),i
return W
end
cv=cv+1
i=''
end
return W
`,
  },
  purge: {
    sha: 'f4029d41e4ece3bc8234b56ea29e046186b9fba6',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + `end
if not F.cM()then
return F.ce(3)
end
local p=0
local ai=av
e.joining=0
for _,a in pairs(ai)do
local d=F.am(ARGV[2] .. p,e.tail,e.bytes)
p=p+1
for _,bO in ipairs({'acked','failed','latest','deadFor','parksNext','born','served'})do
d[bO]=a.row[bO]
end
local Z=a.row.lanes
if Z then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=Z.at,left=Z.left}
end
a.row.join=nil
F.bu(a)
a.row=d
a.changed=true
end
F.cc()
if e.scan then
F.aC(500)
end
F.l(true)
return e.scan and 1 or 0
`,
  },
  release: {
    sha: '6eab03826c1907e66fbc786e373708d413b11c54',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local H=F.o(i)
if not H then
return 0
end
local bK=F.O(i,H)
if not bK or ARGV[4]~='1' then
F.aJ(i)
elseif bK=='held' then
F.bn(i,H)
end
F.l(true)
return bK and 1 or 0
`,
  },
  results: {
    sha: 'db8c1244b617fc98ef44fa3b2dc4c1b06ee9746a',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + outcomes + `
loadRest = function()
` + lanes + `end
local a=F.j(ARGV[2])
local W,aa={},0
local function fI(w)
local y=a.row.running and F.B(w)
local i=y and y.seq and F.s(a,y.seq)
local s,P
if i and i.kind=='leased' then
s,P=i.lease.number,i.lease.ends
elseif i and i.kind=='held' then
s,P=i.side.lease,i.side.at
end
local bt=s and P>v and F.cH(a,y.seq,s)
return bt and{'running',bt[1],bt[2]}
end
for f=3,#ARGV do
local C=a and a.row.kept and F.cC(a,ARGV[f])
local cg=C and F.bR(C)or a and fI(ARGV[f])or ''
W[f - 2]=cg
for fv=3,#cg do
aa=aa+#cg[fv]
end
if aa>=8388608 then
break
end
end
return W
`,
  },
  resume: {
    sha: 'cdc96754d84c10940e102269b3e720f041a4ee45',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + parked + `
loadRest = function()
` + lanes + holds + `end
local eM,ao,dO,eu=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
F.j()
local function fn(a,b)
if e.joining>0 then
F.cj(a,b)
end
local c,ai=b.seq,b.record
b.record,b.max,b.at=F.be({blob=ao,count=1},1),dO,ap
if eu then
b.expires=v+eu
F.y(a,b)
end
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('ZADD',F.a(a,'held'),c,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record - #ai
end
local function fH(a,w,y)
local eT=false
for _,c in ipairs(F.ec(a,w,y))do
local i=F.s(a,c)
local b=i and i.kind=='parked' and F.q(a,c)
if b and not(b.expires and b.expires<=v)then
if ao~='' then
fn(a,b)
end
F.cS(a,b)
eT=true
if ao~='' then
break
end
end
end
return eT
end
local V={}
for f=6,#ARGV do
local y=F.B(ARGV[f])
local er='0'
for L,a in pairs(F.c())do
if(eM=='' or L==eM)and fH(a,ARGV[f],y and y.seq)then
er='1'
end
end
V[#V+1]=er
end
F.l(true)
return table.concat(V)
`,
  },
  retryNow: {
    sha: 'f2313f58de83e4dd80adc5f538fcf1ad4e43fefb',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
local V={}
for f=3,#ARGV do
local y=a and F.B(ARGV[f])
local i=y and y.seq and F.s(a,y.seq)
local fi=i and i.kind=='waiting' and i.side.at>v
if fi then
F.aM(a,y.seq,i.side)
i.side.at=v
F.ab(a,y.seq,i.side)
end
V[#V+1]=fi and '1' or '0'
end
F.l(true)
return table.concat(V)
`,
  },
  settle: {
    sha: '8e61d24fe46c876cc8fd3d86805730e4f7b59871',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local a=F.j(ARGV[2])
local aA=F.cN(a,3)
if a and a.changed then
F.cT(a)
if bW then
F.cu()
end
F.ch()
F.l(bI)
end
return aA
`,
  },
  stats: {
    sha: '7b1e091441138d5be4271fde0c6027b7e334d13e',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + group + counts + `
loadRest = function()
` + lanes + holds + show + `end
F.j()
F.c()
local p=ARGV[2]=='' and F.cQ()or cmsgpack.unpack(ARGV[2])
for L in pairs(p.groups)do
if not av[L] then
p.groups[L]=nil
end
end
if not F.ci(p,5000)then
return cmsgpack.pack(p)
end
local function cm(b)
return b and math.max(0,ap - b.at)
end
local A=F.J()
local dg=A and cm(A)
local function dR(bn)
if bn and(not dg or bn>dg)then
dg=bn
end
end
if F.r()then
local s=g('ZRANGE',n .. 'timers',0,0)[1]
dR(s and cm(F.A(tonumber(s))))
end
local be=e.early and g('ZRANGE',n .. 'early',0,0)[1]
dR(be and cm(cmsgpack.unpack(be)))
local W={e.holds and F.el()or{},F.aE(p),F.bM(),-1,e.sent}
for L in pairs(p.groups)do
local a=av[L]
local d=a.row
local aY,aW,cf,aB,bC=F.bO(p,a)
local fo=d.dead>0 and g('ZCOUNT',F.a(a,'fade'),'-inf',v)or 0
local aw=F.aQ(a)
local bn=aw<e.tail and cm(F.x(aw))
local aP=g('ZRANGE',F.a(a,'held'),0,0)[1]
if aP then
bn=math.max(bn or 0,cm(cmsgpack.unpack(aP)))
end
if d.lanes and d.lanes.flows>0 then
local A=g('ZRANGEBYSCORE',F.a(a,'held'),string.format('%.0f',281474976710656),'+inf','LIMIT',0,1)[1]
bn=A and math.max(bn or 0,cm(cmsgpack.unpack(A)))or bn
end
dR(bn)
for _,ag in ipairs({L,aY,aW,cf,aB,bC,d.dead - fo,bn or -1,d.acked,d.failed})do
W[#W+1]=ag
end
end
W[4]=dg or -1
return W
`,
  },
  tidy: {
    sha: 'dccab15092d228c2f119e4356aee43aadcc9fa4e',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + `
loadRest = function()
` + lanes + `end
F.j()
F.bq()
F.l()
return(e.scan or e.untidy)and 1 or 0
`,
  },
}
